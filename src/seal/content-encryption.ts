/** Content encryption (RFC 7518 section 5): rows of the table of `enc`. */
import { type CipherGCMTypes, createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';

export interface Encrypted {
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** Encrypts under one content key. It may be called once only with an IV. */
export type Encrypt = (iv: Buffer, aad: Buffer, plaintext: Buffer) => Encrypted;

export interface AesCipher {
  readonly keyBytes: number;
  readonly ivBytes: number;
  readonly tagBytes: number;
  /** Where IVs come from: GCM breaks when one comes twice, so it counts; CBC needs one that nobody can foresee. */
  readonly iv: 'counter' | 'random';
  /** Takes over a content key. The caller zeroes `key` afterwards: what is kept is a KeyObject. */
  encryptor(key: Buffer): Encrypt;
  /** Throws when the tag does not fit. Lengths of key, IV and tag were checked by the caller. */
  decrypt(key: Buffer, iv: Buffer, aad: Buffer, encrypted: Encrypted): Buffer;
}

/** AES GCM (RFC 7518 section 5.3): 96-bit IV, 128-bit tag. */
export function aesGcm(keyBytes: 16 | 24 | 32): AesCipher {
  const cipher: CipherGCMTypes = `aes-${(keyBytes * 8) as 128 | 192 | 256}-gcm`;
  const options = { authTagLength: 16 };
  return {
    keyBytes,
    ivBytes: 12,
    tagBytes: 16,
    iv: 'counter',
    encryptor(key) {
      // a KeyObject, since a raw key costs three times as much for each message on Node 24
      const secret = createSecretKey(key);
      return (iv, aad, plaintext) => {
        const gcm = createCipheriv(cipher, secret, iv, options);
        gcm.setAAD(aad);
        const ciphertext = gcm.update(plaintext);
        gcm.final();
        return { ciphertext, tag: gcm.getAuthTag() };
      };
    },
    decrypt(key, iv, aad, { ciphertext, tag }) {
      const gcm = createDecipheriv(cipher, key, iv, options);
      gcm.setAAD(aad);
      gcm.setAuthTag(tag);
      const plaintext = gcm.update(ciphertext);
      gcm.final();
      return plaintext;
    },
  };
}
