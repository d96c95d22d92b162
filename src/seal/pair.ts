/**
 * New key pairs. In Node 20 a KeyObject out of `generateKeyPairSync` shares its lock with the job that made it: where
 * the garbage collection that ends the job falls into an export, which holds the lock and allocates, the thread waits
 * for itself for ever (~KeyGenJob below ExportJWK). So nothing here exports such an object: the job itself encodes.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Jwk, Kind } from './kinds.ts';

type PairKind = Exclude<Kind, 'oct'>;

const JWK = { format: 'jwk' } as const;

/** Node's types know neither this encoding nor a pair of one encoded and one KeyObject. */
function generate<Pair>(kind: PairKind, options: object): Pair {
  const type = ({ 'P-256': 'ec', X25519: 'x25519', RSA: 'rsa' } as const)[kind];
  return Reflect.apply(generateKeyPairSync, undefined, [type, { namedCurve: 'P-256', ...options }]);
}

/**
 * A pair for one key agreement: the private half for `diffieHellman` alone, never to be exported, and the header
 * member `epk` (RFC 7518 section 4.6.1.1).
 */
export function newEphemeral(kind: 'P-256' | 'X25519'): {
  readonly privateKey: KeyObject;
  readonly epk: Jwk;
} {
  const { publicKey, privateKey } = generate<{ publicKey: Jwk; privateKey: KeyObject }>(kind, {
    publicKeyEncoding: JWK,
  });
  const { kty, crv, x, y } = publicKey;
  return { privateKey, epk: { kty, crv, x, ...(y === undefined ? {} : { y }) } };
}

/** Both halves of a new pair as JWK (RFC 7517). */
export function newJwkPair(
  kind: PairKind,
  rsaBits: number,
): { readonly publicKey: Jwk; readonly privateKey: Jwk } {
  return generate(kind, {
    ...(kind === 'RSA' ? { modulusLength: rsaBits } : {}),
    publicKeyEncoding: JWK,
    privateKeyEncoding: JWK,
  });
}
