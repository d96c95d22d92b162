/**
 * Kinds of keys: how a JWK of each kind is told, checked and imported (RFC 7517, RFC 7518 section 6, RFC 8037),
 * and its thumbprint (RFC 7638). A kind is the curve for EC and OKP, else the key type.
 */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { decodeBase64url } from './base64url.ts';

export type Kind = 'P-256' | 'X25519' | 'RSA' | 'oct';

export type Jwk = Readonly<Record<string, unknown>>;

interface KindRow {
  readonly kty: string;
  readonly crv?: string;
  /** Members of the thumbprint, in RFC 7638's order; all of them are base64url except `crv` and `kty`. */
  readonly members: readonly string[];
  /** Members that only a private key has. */
  readonly secret: readonly string[];
  /** Exact length of each value; undefined where the kind leaves it open. */
  readonly bytes?: number;
}

const RSA_SECRET = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const;

const KINDS: Readonly<Record<Kind, KindRow>> = {
  'P-256': { kty: 'EC', crv: 'P-256', members: ['crv', 'kty', 'x', 'y'], secret: ['d'], bytes: 32 },
  X25519: { kty: 'OKP', crv: 'X25519', members: ['crv', 'kty', 'x'], secret: ['d'], bytes: 32 },
  RSA: { kty: 'RSA', members: ['e', 'kty', 'n'], secret: RSA_SECRET },
  oct: { kty: 'oct', members: ['k', 'kty'], secret: [] },
};

const KIND_NAMES = Object.keys(KINDS) as Kind[];

/** Members that no public key may carry, whatever its type; `k` is a secret everywhere but in `oct`. */
const PRIVATE_MEMBERS = [...RSA_SECRET, 'oth', 'priv', 'k'];

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 16384;

/** The kind of a JWK, or why it has none. */
export function kindOf(jwk: Jwk): Kind | { readonly reason: string } {
  const kind = KIND_NAMES.find(
    (name) => KINDS[name].kty === jwk['kty'] && KINDS[name].crv === (KINDS[name].crv && jwk['crv']),
  );
  if (kind !== undefined) return kind;
  const known = KIND_NAMES.filter((name) => KINDS[name].kty === jwk['kty']);
  if (known.length > 0)
    return { reason: `crv ${quote(jwk['crv'])} is not supported: use ${known.join(' or ')}` };
  return {
    reason: `kty ${quote(jwk['kty'])} is not supported: use EC, OKP, RSA or, with symmetric: true, oct`,
  };
}

/** Characters that would move a terminal's cursor or hide text. */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** A name found in a key file, fit for a message: public members only are ever quoted. */
export function quote(value: unknown): string {
  if (value === undefined) return '(absent)';
  if (typeof value !== 'string' || value.length > 64 || UNPRINTABLE.test(value)) return `(a ${typeof value})`;
  return JSON.stringify(value);
}

/** The private member a would-be public key carries, if any. */
export function privateMember(jwk: Jwk, kind: Kind): string | undefined {
  return PRIVATE_MEMBERS.find((name) => !(kind === 'oct' && name === 'k') && Object.hasOwn(jwk, name));
}

/** Tells symmetric keys apart within this process and is worth nothing to a reader of the log. */
const SYMMETRIC_SALT = createSecretKey(randomBytes(32));

/**
 * RFC 7638, SHA-256, base64url, of a JWK whose members were checked. Of a symmetric key it would be a hash of the
 * secret, which RFC 7638 section 7 warns of: there it is keyed with a value of this process.
 */
export function thumbprint(jwk: Jwk, kind: Kind): string {
  if (kind === 'oct')
    return createHmac('sha256', SYMMETRIC_SALT).update(String(jwk['k'])).digest('base64url');
  const text = JSON.stringify(Object.fromEntries(KINDS[kind].members.map((name) => [name, jwk[name]])));
  return createHash('sha256').update(text).digest('base64url');
}

/** Imports a public key, or a secret one of kind `oct`; else says why not. Curve membership is OpenSSL's check. */
export function importPublic(jwk: Jwk, kind: Kind): KeyObject | { readonly reason: string } {
  const values = publicValues(jwk, kind);
  if ('reason' in values) return values;
  if (kind === 'oct') return secretKey(jwk);
  try {
    return createPublicKey({ key: pick(jwk, KINDS[kind].members), format: 'jwk' });
  } catch {
    return { reason: kind === 'RSA' ? 'n and e are not an RSA key' : `the point is not on ${kind}` };
  }
}

/** Imports a private key, or a secret one of kind `oct`; else says why not, never quoting a value. */
export function importPrivate(jwk: Jwk, kind: Kind): KeyObject | { readonly reason: string } {
  const row = KINDS[kind];
  const values = publicValues(jwk, kind);
  if ('reason' in values) return values;
  if (kind === 'oct') return secretKey(jwk);
  for (const name of row.secret) {
    const value = decodeBase64url(jwk[name]);
    if (value === undefined) return { reason: `private member ${name} is absent or not base64url` };
    const right = row.bytes === undefined || value.length === row.bytes;
    value.fill(0);
    if (!right) return { reason: `private member ${name} must be ${row.bytes} bytes` };
  }
  try {
    return createPrivateKey({ key: pick(jwk, [...row.members, ...row.secret]), format: 'jwk' });
  } catch {
    return { reason: `not a private key of kind ${kind}` };
  }
}

/** An ephemeral public key of a given kind as a header carries it (RFC 7518 section 4.6.1.1); undefined for any other. */
export function importEphemeral(epk: Jwk, kind: Kind): KeyObject | undefined {
  if (kindOf(epk) !== kind || privateMember(epk, kind) !== undefined) return undefined;
  const key = importPublic(epk, kind);
  return 'reason' in key ? undefined : key;
}

function pick(jwk: Jwk, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, String(jwk[name])]));
}

function secretKey(jwk: Jwk): KeyObject {
  const bytes = decodeBase64url(jwk['k'])!;
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

function publicValues(jwk: Jwk, kind: Kind): { readonly ok: true } | { readonly reason: string } {
  const { members, bytes } = KINDS[kind];
  for (const name of members) {
    if (name === 'kty' || name === 'crv') continue;
    const value = decodeBase64url(jwk[name]);
    if (value === undefined || value.length === 0)
      return { reason: `member ${name} is absent or not base64url without padding` };
    if (bytes !== undefined && value.length !== bytes) {
      return {
        reason: `member ${name} must be ${bytes} bytes, leading zeros included; it is ${value.length}`,
      };
    }
    if (kind === 'RSA') {
      const reason = name === 'n' ? modulusReason(value) : exponentReason(value);
      if (reason !== undefined) return { reason };
    }
    if (kind === 'oct') {
      const same = value.every((byte) => byte === value[0]);
      value.fill(0);
      if (same) return { reason: 'every byte of k is the same: a placeholder, no key' };
    }
  }
  return { ok: true };
}

function modulusReason(n: Buffer): string | undefined {
  if (n[0] === 0) return 'n has a leading zero byte (RFC 7518 section 6.3.1.1)';
  const bits = n.length * 8 - Math.clz32(n[0]!) + 24;
  if (bits < MIN_RSA_BITS) return `RSA of ${bits} bits: at least ${MIN_RSA_BITS} are needed`;
  if (bits > MAX_RSA_BITS) return `RSA of ${bits} bits: at most ${MAX_RSA_BITS} are taken`;
  const value = BigInt(`0x${n.toString('hex')}`);
  const factor = SMALL_PRIMES.find((prime) => value % prime === 0n);
  return factor === undefined ? undefined : `n is divisible by ${factor}`;
}

/** Below 752, as SP 800-56B revision 2 section 6.4.2.2 has a modulus tried. */
const SMALL_PRIMES = Array.from({ length: 752 }, (_, n) => n)
  .filter((n) => n > 1 && Array.from({ length: n - 2 }, (_, d) => d + 2).every((d) => n % d !== 0))
  .map(BigInt);

function exponentReason(e: Buffer): string | undefined {
  if (e[0] === 0) return 'e has a leading zero byte (RFC 7518 section 6.3.1.2)';
  if (e.length > 8) return 'e is longer than 64 bits';
  const value = BigInt(`0x${e.toString('hex')}`);
  if (value < 65537n) return `e is ${value}: at least 65537 is needed`;
  return value % 2n === 0n ? 'e is even' : undefined;
}
