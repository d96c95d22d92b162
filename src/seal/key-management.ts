/** Key management (RFC 7518 section 4): rows of the table of `alg`. */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  diffieHellman,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { asObject, decodeBase64url } from './base64url.ts';
import { importEphemeral, type Jwk, type Kind } from './kinds.ts';
import { newEphemeral } from './pair.ts';

/** A fresh content key and what tells it to the recipient. The caller zeroes `contentKey`. */
export interface Wrapped {
  readonly contentKey: Buffer;
  readonly encryptedKey: Buffer;
  /** Header members that the algorithm adds: `epk`, and later `iv` and `tag`. */
  readonly header: Readonly<Record<string, unknown>>;
}

export interface KeyManagement {
  readonly kinds: readonly Kind[];
  /** Exact length of an `oct` key. */
  readonly octBytes?: number;
  /** Values of `key_ops` (RFC 7517 section 4.3), any of which lets a key be used; an empty list of a public key does where the algorithm leaves it nothing to list. */
  readonly sealOps: readonly string[];
  readonly openOps: readonly string[];
  readonly emptySealOps: boolean;
  /** Makes a content key of `bytes` bytes for `enc`; it chooses the key itself, since some algorithms derive it. */
  wrap(recipient: KeyObject, kind: Kind, enc: string, bytes: number): Wrapped;
  /** The content key, or undefined for any cause at all. */
  unwrap(key: KeyObject, kind: Kind, header: Jwk, encryptedKey: Buffer, bytes: number): Buffer | undefined;
}

/** RFC 7518 sections 4.6 (ECDH-ES, Concat KDF) and 4.4 (AES Key Wrap); RFC 8037 section 3.2. */
export function ecdhEs(alg: string, wrapBytes: 16 | 24 | 32): KeyManagement {
  return {
    kinds: ['P-256', 'X25519'],
    sealOps: ['deriveKey', 'deriveBits'],
    openOps: ['deriveKey', 'deriveBits'],
    // WebCrypto exports the public half of an ECDH pair with an empty list
    emptySealOps: true,
    wrap(recipient, kind, _enc, bytes) {
      const { privateKey, epk } = newEphemeral(kind === 'X25519' ? kind : 'P-256');
      const secret = agree(privateKey, recipient);
      const kek = concatKdf(secret, wrapBytes, alg, Buffer.alloc(0), Buffer.alloc(0));
      secret.fill(0);
      const contentKey = randomBytes(bytes);
      const encryptedKey = wrapKey(kek, contentKey);
      kek.fill(0);
      return { contentKey, encryptedKey, header: { epk } };
    },
    unwrap(key, kind, header, encryptedKey, bytes) {
      if (encryptedKey.length !== bytes + 8) return undefined;
      const epk = asObject(header['epk']);
      const publicKey = epk && importEphemeral(epk, kind);
      const apu = partyInfo(header['apu']);
      const apv = partyInfo(header['apv']);
      if (publicKey === undefined || apu === undefined || apv === undefined) return undefined;
      try {
        const secret = agree(key, publicKey);
        const kek = concatKdf(secret, wrapBytes, alg, apu, apv);
        secret.fill(0);
        return unwrapKey(kek, encryptedKey);
      } catch {
        return undefined;
      }
    },
  };
}

/** RFC 7518 section 4.3, with one hash for OAEP and MGF1. */
export function rsaOaep(oaepHash: 'sha256' | 'sha384' | 'sha512'): KeyManagement {
  const options = { oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING };
  return {
    kinds: ['RSA'],
    sealOps: ['wrapKey', 'encrypt'],
    openOps: ['unwrapKey', 'decrypt'],
    emptySealOps: false,
    wrap(recipient, _kind, _enc, bytes) {
      const contentKey = randomBytes(bytes);
      return {
        contentKey,
        encryptedKey: publicEncrypt({ key: recipient, ...options }, contentKey),
        header: {},
      };
    },
    unwrap(key, _kind, _header, encryptedKey, bytes) {
      if (encryptedKey.length * 8 !== Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8) * 8)
        return undefined;
      try {
        const contentKey = privateDecrypt({ key, ...options }, encryptedKey);
        return contentKey.length === bytes ? contentKey : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

/** RFC 7518 section 4.4. */
export function aesKeyWrap(octBytes: 16 | 24 | 32): KeyManagement {
  return {
    kinds: ['oct'],
    octBytes,
    sealOps: ['wrapKey'],
    openOps: ['unwrapKey'],
    emptySealOps: false,
    wrap(recipient, _kind, _enc, bytes) {
      const contentKey = randomBytes(bytes);
      return { contentKey, encryptedKey: wrapKey(recipient, contentKey), header: {} };
    },
    unwrap(key, _kind, _header, encryptedKey, bytes) {
      if (encryptedKey.length !== bytes + 8) return undefined;
      try {
        return unwrapKey(key, encryptedKey);
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * Z of RFC 7518 section 4.6. A low-order X25519 point gives nothing but zeros to everybody (RFC 7748 section 6.1):
 * OpenSSL refuses it, and so do we should it ever not.
 */
export function agree(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  const secret = diffieHellman({ privateKey, publicKey });
  if (secret.every((byte) => byte === 0)) throw new Error('low-order point');
  return secret;
}

/** RFC 7518 section 4.6.2: SHA-256 over round | Z | AlgorithmID | PartyUInfo | PartyVInfo | SuppPubInfo (bits). */
export function concatKdf(secret: Buffer, bytes: number, id: string, apu: Buffer, apv: Buffer): Buffer {
  const info = Buffer.concat([sized(Buffer.from(id)), sized(apu), sized(apv), uint32(bytes * 8)]);
  const rounds: Buffer[] = [];
  for (let round = 1; rounds.length * 32 < bytes; round += 1) {
    rounds.push(createHash('sha256').update(uint32(round)).update(secret).update(info).digest());
  }
  const whole = Buffer.alloc(rounds.length * 32);
  for (const [index, part] of rounds.entries()) {
    part.copy(whole, index * 32);
    part.fill(0);
  }
  return whole.subarray(0, bytes);
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** `apu` or `apv`: absent is empty; undefined where it is not base64url. */
function partyInfo(value: unknown): Buffer | undefined {
  return value === undefined ? Buffer.alloc(0) : decodeBase64url(value);
}

/** The default initial value of RFC 3394 section 2.2.3.1. */
const WRAP_IV = Buffer.alloc(8, 0xa6);

/** Two blocks of key and the integrity check, 64 bits each. */
const MIN_WRAPPED_BYTES = 24;

/** AES Key Wrap (RFC 3394) of a content key. */
export function wrapKey(kek: KeyObject | Buffer, contentKey: Buffer): Buffer {
  const cipher = createCipheriv(`aes${bitsOf(kek)}-wrap`, kek, WRAP_IV);
  // the whole of it comes from update: concatenating would leave a copy behind
  const encryptedKey = cipher.update(contentKey);
  cipher.final();
  return encryptedKey;
}

/** Throws when the integrity check of RFC 3394 section 2.2.3 fails. */
export function unwrapKey(kek: KeyObject | Buffer, encryptedKey: Buffer): Buffer {
  // OpenSSL unwraps nothing to nothing, without a check
  if (encryptedKey.length < MIN_WRAPPED_BYTES) throw new Error('too short');
  const decipher = createDecipheriv(`aes${bitsOf(kek)}-wrap`, kek, WRAP_IV);
  const contentKey = decipher.update(encryptedKey);
  decipher.final();
  return contentKey;
}

function bitsOf(kek: KeyObject | Buffer): number {
  return 8 * (Buffer.isBuffer(kek) ? kek.length : (kek.symmetricKeySize ?? 0));
}
