/** Opens compact JWE (RFC 7516 section 5.2), strictly, with one answer for everything that is wrong. */
import { randomBytes } from 'node:crypto';
import { ClaimsealError } from '../errors.ts';
import { ALGS, ENCS } from './algorithms.ts';
import { asObject, decodeBase64url, parseJson } from './base64url.ts';
import { MAX_HEADER_BYTES, TYPS, type Typ } from './header.ts';
import type { PrivateKey, PrivateKeySet } from './jwks.ts';
import type { Jwk } from './kinds.ts';
import { reveal } from './material.ts';

export interface DecryptOptions {
  readonly keys: PrivateKeySet;
  /** Header values of `alg` and `enc` that are accepted. */
  readonly algs: readonly string[];
  readonly encs: readonly string[];
  /** Longest JWE, in characters. */
  readonly maxBytes: number;
}

export interface OpenOptions extends DecryptOptions {
  /** The `aud` this reader is; anything else is refused. */
  readonly aud: string;
  readonly typ: Typ;
}

export interface Opened {
  /** The decoded protected header: JSON in UTF-8, authenticated. */
  readonly header: Buffer;
  readonly plaintext: Buffer;
}

/**
 * Opens a JWE that was sealed for `aud`. Duplicate members of the header are the caller's to refuse beforehand, with
 * a parser that sees them; comparing `evt` and `iss` in the result is the caller's too.
 * @throws ClaimsealError `open.failed`, the same for every cause.
 */
export function openCompact(jwe: string, options: OpenOptions): Opened {
  const opened = decrypt(jwe, options);
  if (opened?.header['aud'] !== options.aud || opened.header['typ'] !== TYPS[options.typ]) throw openFailed();
  return { header: opened.headerBytes, plaintext: opened.plaintext };
}

/** The same without claimseal's own header members: for vectors, not exported from the room. */
export function decryptCompact(jwe: string, options: DecryptOptions): Opened {
  const opened = decrypt(jwe, options);
  if (opened === undefined) throw openFailed();
  return { header: opened.headerBytes, plaintext: opened.plaintext };
}

/** The one error for whatever keeps a JWE from being opened, so that the difference tells nothing. */
export function openFailed(): ClaimsealError {
  return new ClaimsealError('open.failed', 'the JWE does not open', {
    remedy: 'check that the keys are those of this audience and that the value is whole and in its place',
  });
}

interface Decrypted {
  readonly header: Jwk;
  readonly headerBytes: Buffer;
  readonly plaintext: Buffer;
}

function decrypt(jwe: string, { keys, algs, encs, maxBytes }: DecryptOptions): Decrypted | undefined {
  if (jwe.length > maxBytes) return undefined;
  const parts = jwe.split('.', 6);
  if (parts.length !== 5 || parts[0]!.length > Math.ceil((MAX_HEADER_BYTES * 4) / 3)) return undefined;
  const [headerBytes, encryptedKey, iv, ciphertext, tag] = parts.map(decodeBase64url);
  if (!headerBytes || !encryptedKey || !iv || !ciphertext || !tag) return undefined;

  const header = asObject(parseJson(headerBytes));
  if (header === undefined || Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'zip')) return undefined;
  const { alg, enc, kid } = header;
  if (typeof alg !== 'string' || !algs.includes(alg) || typeof enc !== 'string' || !encs.includes(enc))
    return undefined;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  const row = ALGS[alg];
  const cipher = ENCS[enc];
  if (row === undefined || cipher === undefined) return undefined;
  if (iv.length !== cipher.ivBytes || tag.length !== cipher.tagBytes) return undefined;

  const aad = Buffer.from(parts[0]!, 'latin1');
  for (const key of keys.keys) {
    if (!mayOpen(key, alg, kid)) continue;
    const { key: secret, kind } = reveal(key.material);
    // RFC 7516 section 11.5: a key that does not unwrap goes on as a random one and fails at the tag, like any other
    const random = randomBytes(cipher.keyBytes);
    const unwrapped = row.unwrap(secret, kind, header, encryptedKey, cipher.keyBytes);
    const contentKey = unwrapped?.length === cipher.keyBytes ? unwrapped : random;
    try {
      return { header, headerBytes, plaintext: cipher.decrypt(contentKey, iv, aad, { ciphertext, tag }) };
    } catch {
      // the next key may fit
    } finally {
      contentKey.fill(0);
    }
  }
  return undefined;
}

/** A `kid` selects; a private key without one may belong to any. */
function mayOpen(key: PrivateKey, alg: string, kid: string | undefined): boolean {
  const row = ALGS[alg]!;
  const { key: secret, kind } = reveal(key.material);
  return (
    row.kinds.includes(kind) &&
    (key.alg === undefined || key.alg === alg) &&
    (row.octBytes === undefined || secret.symmetricKeySize === row.octBytes) &&
    (kid === undefined || key.kid === undefined || key.kid === kid)
  );
}
