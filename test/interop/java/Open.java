import com.nimbusds.jose.*;
import com.nimbusds.jose.crypto.*;
import com.nimbusds.jose.jwk.*;
import com.nimbusds.jose.util.JSONObjectUtils;
import java.util.*;
/** Opens what claimseal sealed, with Nimbus JOSE+JWT alone (and Tink, which it needs for X25519). */
class Open {
  static List<Object> idOf(Map<String, Object> event) {
    List<Object> id = List.of(event.get("source"), event.get("id")); // what the policy names as `source.id`
    if (id.stream().allMatch(part -> part instanceof String || part instanceof Long)) return id;
    throw new IllegalArgumentException("an id is a string or an integer of at most 64 bits");
  }

  /** Takes a record's value, returns the audience's view as JSON text; throws where anything is off. */
  static String open(String value, JWKSet keys, String audience) throws Exception {
    var clear = JSONObjectUtils.parse(value);
    var jwe = JWEObject.parse((String) clear.get("sealed"));
    var header = jwe.getHeader().toJSONObject();
    if (!Set.of("ECDH-ES+A256KW", "RSA-OAEP-256", "A256KW").contains(header.get("alg"))
        || !Set.of("A256GCM", "A128GCM").contains(header.get("enc")) || header.containsKey("zip")
        || !"claimseal-view+jwe".equals(header.get("typ")) || !audience.equals(header.get("aud")))
      throw new IllegalArgumentException("not sealed for this audience");
    var key = keys.getKeyByKeyId((String) header.get("kid"));
    jwe.decrypt(key instanceof RSAKey rsa ? new RSADecrypter(rsa) : key instanceof ECKey ec ? new ECDHDecrypter(ec)
        : key instanceof OctetKeyPair okp ? new X25519Decrypter(okp) : new AESDecrypter(key.toOctetSequenceKey()));
    var id = idOf(jwe.getPayload().toJSONObject()); // null where it is not JSON
    if (id.equals(header.get("evt")) && id.equals(idOf(clear))) return jwe.getPayload().toString().strip();
    throw new IllegalArgumentException("sealed for another event");
  }
}
