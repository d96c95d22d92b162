/**
 * Everything claimseal knows about an algorithm, each in one row (RFC 7518 sections 4 and 5, RFC 8037). What is not
 * in the tables does not exist: not for sealing, not for opening. Callers look rows up by the header's own name.
 */
import { type AesCipher, aesGcm } from './content-encryption.ts';
import { aesKeyWrap, ecdhEs, type KeyManagement, rsaOaep } from './key-management.ts';
import type { Kind } from './kinds.ts';

/** Without a prototype, so that no inherited name is ever an algorithm. */
function table<Row>(rows: Readonly<Record<string, Row>>): Readonly<Record<string, Row>> {
  return Object.freeze(Object.assign(Object.create(null) as Record<string, Row>, rows));
}

/** Header member `alg`. */
export const ALGS: Readonly<Record<string, KeyManagement>> = table({
  'ECDH-ES+A256KW': ecdhEs('ECDH-ES+A256KW', 32),
  'RSA-OAEP-256': rsaOaep('sha256'),
  A256KW: aesKeyWrap(32),
});

/** Header member `enc`. */
export const ENCS: Readonly<Record<string, AesCipher>> = table({
  A256GCM: aesGcm(32),
  A128GCM: aesGcm(16),
});

/** The `alg` used with a key where neither the policy nor the JWK names one. */
export const DEFAULT_ALG: Readonly<Record<Kind, string>> = {
  'P-256': 'ECDH-ES+A256KW',
  X25519: 'ECDH-ES+A256KW',
  RSA: 'RSA-OAEP-256',
  oct: 'A256KW',
};

export const DEFAULT_ENC = 'A256GCM';
