// Opens what claimseal sealed, with `jose` alone. `keys` are the audience's private JWKs.
import { compactDecrypt } from 'jose';

const allowed = {
  keyManagementAlgorithms: ['ECDH-ES+A256KW', 'RSA-OAEP-256', 'A256KW'],
  contentEncryptionAlgorithms: ['A256GCM', 'A128GCM'],
  maxDecompressedLength: 0, // claimseal never compresses
};

/** The members that the policy names as `source.id`. JSON.parse rounds integers above 2^53: refuse those. */
function idOf(event) {
  const id = [event.source, event.id];
  if (id.every((part) => typeof part === 'string' || Number.isSafeInteger(part))) return JSON.stringify(id);
  throw new Error('no id, or one that JavaScript cannot hold exactly');
}

/** Takes a record's value, returns the audience's view of the event as JSON text; throws where anything is off. */
export async function open(value, keys, audience) {
  const clear = JSON.parse(value);
  const keyOf = ({ kid }) => keys.find((key) => key.kid === kid);
  const { plaintext, protectedHeader } = await compactDecrypt(clear.sealed, keyOf, allowed);
  const { typ, aud, evt } = protectedHeader;
  if (typ !== 'claimseal-view+jwe' || aud !== audience) throw new Error('not sealed for this audience');
  const view = new TextDecoder('utf-8', { fatal: true }).decode(plaintext).trim(); // spaces fill it up
  const id = idOf(JSON.parse(view));
  if (JSON.stringify(evt) !== id || idOf(clear) !== id) throw new Error('sealed for another event');
  return view;
}
