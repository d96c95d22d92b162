/** Lines for the foreign readers: what they must open, and every way we know of to pass one off as another. */
import { CompactEncrypt, compactDecrypt, type JWK } from 'jose';
import { createSealer, generateKeySet, parseJwks } from '../../src/seal/index.ts';
import type { Language } from './languages.ts';

export const AUDIENCE = 'payroll';
export const VIEW_TYP = 'claimseal-view+jwe';
const ISSUER = 'https://idp.example/events';

/** A line, and whether a reader must open it. `opens` names the languages that do where they differ. */
export interface Case {
  readonly name: string;
  readonly line: string;
  /** The view, as text, where it must open. */
  readonly view?: string;
  readonly opens: boolean | readonly Language[];
}

// ---- keys --------------------------------------------------------------------------------------

const KTYS = { 'P-256': 'EC', X25519: 'OKP', 'RSA-2048': 'RSA', 'AES-256': 'oct' } as const;
export type KeyName = keyof typeof KTYS;
export const KEY_NAMES = Object.keys(KTYS) as readonly KeyName[];
export const ENCS = ['A256GCM', 'A128GCM'] as const;
export type Enc = (typeof ENCS)[number];

interface Pair {
  /** What claimseal is given. */
  readonly sealing: string;
  readonly private: JWK & { readonly kid: string };
}

function generate(name: KeyName, kid?: string): Pair {
  const kty = KTYS[name];
  const set = generateKeySet({ kty, kid, rsaBits: 2048 });
  return { sealing: set.public ?? set.private, private: JSON.parse(set.private).keys[0] };
}

export const pairs = Object.fromEntries(KEY_NAMES.map((name) => [name, generate(name)])) as Record<
  KeyName,
  Pair
>;

/** The reader's keys as `keygen` writes them, and stripped of what would bind them to one `alg`. */
export const keyFiles = {
  'as keygen writes them': KEY_NAMES.map((name) => pairs[name].private),
  'without use and alg': KEY_NAMES.map((name) => {
    const { use: _use, alg: _alg, ...jwk } = pairs[name].private;
    return jwk;
  }),
};
