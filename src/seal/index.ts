/**
 * The seal room: plan, keys and an event's bytes become a compact JWE (RFC 7516), and the way back.
 *
 * It holds every use of a cipher, a curve and a random number, the checks of keys (RFC 7517, 7518, 7638, 8037), and
 * content keys. It refuses whatever is not in its two tables of algorithms, keys that fail a check, and any request to
 * hand it randomness: an IV, a content key or an ephemeral key is drawn inside and never leaves. It does no I/O.
 * Apart from it no room imports node:crypto.
 */
import { ALGS, ENCS } from './algorithms.ts';

export { hmac, sha256 } from './digest.ts';
export { type PrivateKeySet, parseJwks, parsePrivateJwks } from './jwks.ts';
export { generateKeySet, type NewKeySet } from './keygen.ts';
export { openCompact, openFailed } from './open.ts';
export { createSealer, type Recipient } from './sealer.ts';
export { selfTest } from './self-test.ts';

/** Values of `alg` and `enc` that may be sealed with. */
export const algorithms: readonly string[] = Object.keys(ALGS);
export const encryptions: readonly string[] = Object.keys(ENCS);
