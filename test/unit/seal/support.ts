/** Key sets and sealers for the tests of the seal room. */
import { type CompactDecryptResult, compactDecrypt, importJWK, type JWK } from 'jose';
import type { Notice, RecipientKey } from '../../../src/event.ts';
import {
  algorithms,
  createSealer,
  encryptions,
  generateKeySet,
  openCompact,
  type PrivateKeySet,
  parseJwks,
  parsePrivateJwks,
  type Recipient,
} from '../../../src/seal/index.ts';

export const KTYS = ['EC', 'OKP', 'RSA', 'oct'] as const;
export type Kty = (typeof KTYS)[number];

export interface Pair {
  readonly kty: Kty;
  readonly alg: string;
  /** What the sealing side reads. */
  readonly set: string;
  readonly recipient: RecipientKey;
  readonly privateJwk: JWK;
  readonly privateKeys: PrivateKeySet;
}

export function newPair(kty: Kty, kid?: string): Pair {
  const made = generateKeySet({ kty, kid, rsaBits: 2048 });
  const set = made.public ?? made.private;
  const { keys } = parseJwks(Buffer.from(set), { symmetric: true });
  const privateJwk = (JSON.parse(made.private) as { keys: JWK[] }).keys[0]!;
  return {
    kty,
    alg: privateJwk.alg!,
    set,
    recipient: keys[0]!,
    privateJwk,
    privateKeys: parsePrivateJwks(Buffer.from(made.private)),
  };
}

/** One of each type, made once: RSA keys take their time. */
export const PAIRS: Readonly<Record<Kty, Pair>> = {
  EC: newPair('EC'),
  OKP: newPair('OKP'),
  RSA: newPair('RSA'),
  oct: newPair('oct'),
};

export const ISSUER = 'https://idp.example/events';
export const EVT = '["https://idp.example","e-1"]';

export const recipientOf = (more: Partial<Recipient> = {}): Recipient => ({
  aud: 'payroll',
  name: 'payroll',
  typ: 'view',
  enc: 'A256GCM',
  pad: 64,
  reuse: true,
  ...more,
});

export function sealerFor(pair: Pair, more: Partial<Recipient> = {}) {
  const notices: Notice[] = [];
  const recipient = recipientOf(more);
  const sealer = createSealer({ issuer: ISSUER, recipients: [recipient], observe: (n) => notices.push(n) });
  sealer.use(new Map([[recipient.aud, pair.recipient]]));
  return {
    sealer,
    notices,
    seal: (text: string, evt = EVT) => sealer.seal(recipient.aud, evt, Buffer.from(text)),
  };
}

/** The judge: another implementation. */
export async function joseOpens(jwe: string, pair: Pair, enc = 'A256GCM'): Promise<CompactDecryptResult> {
  return compactDecrypt(jwe, await importJWK(pair.privateJwk), {
    keyManagementAlgorithms: [pair.alg],
    contentEncryptionAlgorithms: [enc],
  });
}

export const open = (
  jwe: string,
  keys: PrivateKeySet,
  more: Partial<Parameters<typeof openCompact>[1]> = {},
) =>
  openCompact(jwe, {
    aud: 'payroll',
    typ: 'view',
    keys,
    algs: algorithms,
    encs: encryptions,
    maxBytes: 1_000_000,
    ...more,
  });

export interface Parsed {
  readonly [member: string]: unknown;
}

export const headerOf = (jwe: string): Parsed =>
  JSON.parse(Buffer.from(jwe.slice(0, jwe.indexOf('.')), 'base64url').toString()) as Parsed;
