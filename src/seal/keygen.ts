/** New key pairs as JWK Sets (RFC 7517), for `keygen`, tests and the self-test. */
import { randomBytes } from 'node:crypto';
import { DEFAULT_ALG } from './algorithms.ts';
import { type Kind, thumbprint } from './kinds.ts';
import { newJwkPair } from './pair.ts';

export interface NewKeySet {
  /** What the sealing side gets; undefined for `oct`, whose one set both sides share. */
  readonly public: string | undefined;
  /** What the reader keeps. */
  readonly private: string;
}

/** Size of new RSA keys: NIST SP 800-57 for use beyond 2030. */
const RSA_BITS = 3072;

/**
 * Makes one key (EC: P-256, OKP: X25519, RSA: 3072 bits, oct: 256 bits) as JSON text of JWK Sets. `kid` is the
 * thumbprint (RFC 7638) unless given; for `oct`, whose thumbprint would tell of the secret, it is random.
 */
export function generateKeySet(options: {
  readonly kty: 'EC' | 'OKP' | 'RSA' | 'oct';
  readonly kid?: string | undefined;
  /** Not a choice for users: the self-test's throw-away keys may be smaller. */
  readonly rsaBits?: number;
}): NewKeySet {
  const { kty, kid, rsaBits = RSA_BITS } = options;
  if (kty === 'oct') {
    const k = randomBytes(32).toString('base64url');
    return {
      public: undefined,
      private: keySet({ k, kty }, kid ?? randomBytes(16).toString('base64url'), 'oct'),
    };
  }
  const kind = ({ EC: 'P-256', OKP: 'X25519', RSA: 'RSA' } as const)[kty];
  const { publicKey, privateKey } = newJwkPair(kind, rsaBits);
  const name = kid ?? thumbprint(publicKey, kind);
  return {
    public: keySet(publicKey, name, kind),
    private: keySet(privateKey, name, kind),
  };
}

function keySet(jwk: Readonly<Record<string, unknown>>, kid: string, kind: Kind): string {
  const { kty, ...members } = jwk;
  return `${JSON.stringify({ keys: [{ kty, kid, use: 'enc', alg: DEFAULT_ALG[kind], ...members }] }, null, 2)}\n`;
}
