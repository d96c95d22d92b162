/** JWK Sets (RFC 7517 section 5): every key is checked once, here, and refused with a reason or taken. */
import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { ClaimsealError } from '../errors.ts';
import type { ParsedKeySet, RecipientKey } from '../event.ts';
import { ALGS, DEFAULT_ALG, DEFAULT_ENC, ENCS } from './algorithms.ts';
import { asObject, parseJson } from './base64url.ts';
import { agree, type KeyManagement } from './key-management.ts';
import {
  importEphemeral,
  importPrivate,
  importPublic,
  type Jwk,
  type Kind,
  kindOf,
  privateMember,
  quote,
  thumbprint,
  UNPRINTABLE,
} from './kinds.ts';
import { hide } from './material.ts';
import { newEphemeral } from './pair.ts';

const MAX_SET_BYTES = 1024 * 1024;
const MAX_KEYS = 1000;
const MAX_KID_CHARS = 256;

export interface KeyUse {
  /** The `alg` the policy states for the audience; absent leaves it to the JWK, then to the type of the key. */
  readonly alg?: string | undefined;
  /** Whether the audience may have `oct` keys, which let the processor itself open what it sealed. */
  readonly symmetric: boolean;
}

type Refused = ParsedKeySet['refused'][number];

/**
 * Parses and checks a set of recipients' keys. A key that does not fit never throws: it is in `refused`, by its
 * index and `kid`.
 * @throws ClaimsealError `keys.unreadable` when the bytes are not a JWK Set at all.
 */
export function parseJwks(bytes: Buffer, use: KeyUse): ParsedKeySet {
  const keys: RecipientKey[] = [];
  const refused: Refused[] = [];
  checkSet(bytes, (jwk, kid) => recipientKey(jwk, kid, use), keys, refused);
  return { keys, refused };
}

/** A set of keys to open with. The keys themselves stay in the seal room. */
export interface PrivateKeySet {
  readonly keys: readonly PrivateKey[];
  readonly refused: readonly Refused[];
}

export interface PrivateKey {
  readonly kid: string | undefined;
  /** The one `alg` the JWK allows, if it names one. */
  readonly alg: string | undefined;
  readonly material: object;
}

/**
 * Parses and checks a set of private (or symmetric) keys to open with.
 * @throws ClaimsealError `keys.unreadable` when the bytes are not a JWK Set at all.
 */
export function parsePrivateJwks(bytes: Buffer): PrivateKeySet {
  const keys: PrivateKey[] = [];
  const refused: Refused[] = [];
  checkSet(bytes, privateKey, keys, refused);
  return { keys, refused };
}

function checkSet<Key extends { readonly kid: string | undefined }>(
  bytes: Buffer,
  check: (jwk: Jwk, kid: string | undefined) => Key | string,
  keys: Key[],
  refused: Refused[],
): void {
  const kids = new Set<string>();
  for (const [index, value] of setMembers(bytes).entries()) {
    const jwk = asObject(value);
    const kid = jwk?.['kid'];
    const named = typeof kid === 'string' && kid.length <= MAX_KID_CHARS ? kid : undefined;
    const shown = named === undefined || UNPRINTABLE.test(named) ? undefined : named;
    const refuse = (reason: string) => refused.push({ kid: shown, index, reason });
    if (jwk === undefined) refuse('not a JSON object');
    else if (kid !== undefined && typeof kid !== 'string') refuse('kid is not a string');
    else if (kid !== named) refuse(`kid is longer than ${MAX_KID_CHARS} characters`);
    else if (named !== undefined && UNPRINTABLE.test(named))
      refuse('kid has characters that are not printed');
    else {
      const key = check(jwk, named);
      if (typeof key === 'string') refuse(key);
      else if (named !== undefined && kids.has(named)) refuse('an earlier key of the set has the same kid');
      else {
        if (named !== undefined) kids.add(named);
        keys.push(key);
      }
    }
  }
}

function setMembers(bytes: Buffer): readonly unknown[] {
  const unreadable = (message: string) =>
    new ClaimsealError(
      'keys.unreadable',
      `expected a JWK Set, a JSON object with an array \`keys\`; ${message}`,
      {
        remedy: 'write the set anew (`claimseal keygen` shows the form) and replace the file by renaming',
      },
    );
  if (bytes.length > MAX_SET_BYTES)
    throw unreadable(`found ${bytes.length} bytes, more than ${MAX_SET_BYTES}`);
  const set = parseJson(bytes);
  if (set === undefined) throw unreadable('found what is not JSON in UTF-8');
  const keys = asObject(set)?.['keys'];
  if (!Array.isArray(keys)) throw unreadable('found JSON without it');
  if (keys.length > MAX_KEYS) throw unreadable(`found ${keys.length} keys, more than ${MAX_KEYS}`);
  return keys;
}

function recipientKey(
  jwk: Jwk,
  kid: string | undefined,
  { alg: wanted, symmetric }: KeyUse,
): RecipientKey | string {
  const kind = kindOf(jwk);
  if (typeof kind !== 'string') return kind.reason;
  if (kind === 'oct' && !symmetric)
    return 'a symmetric key: allow it with symmetric: true, or use a public key';
  const secret = privateMember(jwk, kind);
  if (secret !== undefined)
    return `carries the private member ${secret}: whoever read this file can open; make a new pair`;
  const alg = algorithmOf(jwk, kind, wanted);
  if (typeof alg !== 'string') return alg.reason;
  const row = ALGS[alg]!;
  const misuse = useReason(jwk, row.sealOps, row.emptySealOps);
  if (misuse !== undefined) return misuse;
  for (const name of ['nbf', 'exp']) {
    const value = jwk[name];
    if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value)))
      return `${name} is not a number of seconds`;
  }
  const key = importPublic(jwk, kind);
  if ('reason' in key) return key.reason;
  if (!tryWrap(key, kind, row))
    return 'the key cannot be wrapped to: a point off the curve or of low order, or no RSA key';
  return {
    kid,
    thumbprint: thumbprint(jwk, kind),
    alg,
    nbf: jwk['nbf'] as number | undefined,
    exp: jwk['exp'] as number | undefined,
    material: hide({ key, kind }),
  };
}

function privateKey(jwk: Jwk, kid: string | undefined): PrivateKey | string {
  const kind = kindOf(jwk);
  if (typeof kind !== 'string') return kind.reason;
  const alg = algorithmOf(jwk, kind, undefined);
  if (typeof alg !== 'string') return alg.reason;
  const misuse = useReason(jwk, ALGS[alg]!.openOps, false);
  if (misuse !== undefined) return misuse;
  const key = importPrivate(jwk, kind);
  if ('reason' in key) return key.reason;
  if (kind !== 'oct' && !pairFits(jwk, kind, key))
    return 'the private and the public members do not belong together';
  return { kid, alg: jwk['alg'] as string | undefined, material: hide({ key, kind }) };
}

/** The `alg` a key is used with: the policy's, else the JWK's own, else the default of its kind. */
function algorithmOf(jwk: Jwk, kind: Kind, wanted: string | undefined): string | { readonly reason: string } {
  const own = jwk['alg'];
  if (own !== undefined && wanted !== undefined && own !== wanted) {
    return { reason: `alg ${quote(own)} is not the audience's ${quote(wanted)}` };
  }
  const alg = wanted ?? (own === undefined ? DEFAULT_ALG[kind] : own);
  const row = typeof alg === 'string' ? ALGS[alg] : undefined;
  if (typeof alg !== 'string' || row === undefined) {
    return { reason: `alg ${quote(alg)} is not supported: use one of ${Object.keys(ALGS).join(', ')}` };
  }
  if (!row.kinds.includes(kind)) return { reason: `alg ${alg} does not go with a key of kind ${kind}` };
  const k = jwk['k'];
  if (row.octBytes !== undefined && typeof k === 'string' && k.length !== Math.ceil((row.octBytes * 4) / 3)) {
    return { reason: `alg ${alg} needs a key of ${row.octBytes} bytes` };
  }
  return alg;
}

/** RFC 7517 sections 4.2 and 4.3. */
function useReason(jwk: Jwk, fitting: readonly string[], emptyFits: boolean): string | undefined {
  const { use, key_ops: ops } = jwk;
  if (use !== undefined && use !== 'enc') return `use is ${quote(use)}, expected "enc" or none`;
  if (ops === undefined) return undefined;
  if (!Array.isArray(ops) || ops.some((op) => typeof op !== 'string'))
    return 'key_ops is not an array of strings';
  if (new Set(ops).size !== ops.length) return 'key_ops names an operation twice';
  if (ops.includes('sign') || ops.includes('verify')) return 'key_ops names signatures: a key has one use';
  if (fitting.some((op) => ops.includes(op)) || (emptyFits && ops.length === 0)) return undefined;
  return `key_ops holds none of ${fitting.join(', ')}`;
}

/** Wraps once and throws the result away: what this finds at import would else stop the stream. */
function tryWrap(key: KeyObject, kind: Kind, row: KeyManagement): boolean {
  try {
    row.wrap(key, kind, DEFAULT_ENC, ENCS[DEFAULT_ENC]!.keyBytes).contentKey.fill(0);
    return true;
  } catch {
    return false;
  }
}

/** OpenSSL does not compare a JWK's private half with its public one: a round trip does. */
function pairFits(jwk: Jwk, kind: Kind, key: KeyObject): boolean {
  const publicKey = importPublic(jwk, kind);
  if ('reason' in publicKey) return false;
  try {
    if (kind === 'RSA') {
      const row = ALGS[DEFAULT_ALG.RSA]!;
      const { contentKey, encryptedKey } = row.wrap(publicKey, kind, DEFAULT_ENC, 32);
      const opened = row.unwrap(key, kind, {}, encryptedKey, 32);
      return opened !== undefined && timingSafeEqual(opened, contentKey);
    }
    const { privateKey, epk } = newEphemeral(kind === 'X25519' ? kind : 'P-256');
    return timingSafeEqual(agree(key, importEphemeral(epk, kind)!), agree(privateKey, publicKey));
  } catch {
    return false;
  }
}
