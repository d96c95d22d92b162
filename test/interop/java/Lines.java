import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.util.JSONObjectUtils;
import java.io.*;
import java.nio.charset.StandardCharsets;

/**
 * Opens lines: java Lines KEYS.jwks.json AUDIENCE < events.ndjson
 * A line is a record's value or, as `claimseal seal --out` writes it, {"topic","key","headers","value"}.
 */
class Lines {
  public static void main(String[] args) throws Exception {
    var keys = JWKSet.load(new File(args[0]));
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    int number = 0, refused = 0;
    for (String line; (line = in.readLine()) != null; ) {
      number++;
      try {
        var record = JSONObjectUtils.parse(line);
        var value = record.containsKey("sealed") ? line : (String) record.get("value");
        out.println(Open.open(value, keys, args[1]));
      } catch (Exception e) {
        refused++;
        System.err.println(number + " refused");
      }
    }
    System.exit(refused == 0 ? 0 : 1);
  }
}
