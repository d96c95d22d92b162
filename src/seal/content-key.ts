/**
 * A content key and the budget it may be used for (design: one content key, one encryptor, one thread).
 *
 * It replaces the fresh key per message of RFC 7516 section 5.1 by what RFC 7518 section 8.4 describes: the bounds of
 * AES GCM (RFC 7518 section 8.2, NIST SP 800-38D section 8.3) hold because one object owns both key and counter.
 */
import { randomFillSync } from 'node:crypto';
import { ClaimsealError } from '../errors.ts';
import type { AesCipher, Encrypt, Encrypted } from './content-encryption.ts';

/** When a content key is retired. Not an option of anybody outside this room. */
export interface Limits {
  readonly messages: number;
  readonly plaintextBytes: number;
  readonly ageMs: number;
  /** No IV is ever taken beyond it, whoever asks. */
  readonly ivs: number;
}

export const LIMITS: Limits = Object.freeze({
  messages: 1_000_000,
  plaintextBytes: 2 ** 30,
  ageMs: 5 * 60_000,
  ivs: 2 ** 32,
});

export type Retirement = 'messages' | 'bytes' | 'age' | 'recipient' | 'closed';

export class ContentKey {
  readonly #encrypt: Encrypt;
  readonly #random: boolean;
  readonly #limits: Limits;
  readonly #expiresAtMs: number;
  /** For a counter: 32 zero bits and a 64-bit counter, of which the hard stop keeps the upper half zero. */
  readonly #iv: Buffer;
  #taken = 0;
  #bytes = 0;

  /** Takes over `key` and zeroes it. */
  constructor(cipher: AesCipher, key: Buffer, nowMs: number, limits: Limits) {
    this.#encrypt = cipher.encryptor(key);
    key.fill(0);
    this.#random = cipher.iv === 'random';
    this.#iv = Buffer.alloc(cipher.ivBytes);
    this.#limits = limits;
    this.#expiresAtMs = nowMs + limits.ageMs;
  }

  /** Why it must not take a message of `bytes` bytes at `nowMs`; undefined when it may. */
  spent(bytes: number, nowMs: number): Exclude<Retirement, 'recipient' | 'closed'> | undefined {
    if (nowMs >= this.#expiresAtMs) return 'age';
    if (this.#taken >= this.#limits.messages) return 'messages';
    if (this.#taken > 0 && this.#bytes + bytes > this.#limits.plaintextBytes) return 'bytes';
    return undefined;
  }

  /**
   * Encrypts one message. `iv` in the result is overwritten by the next call.
   * @throws ClaimsealError `seal.exhausted` when no IV is left.
   */
  encrypt(aad: Buffer, plaintext: Buffer): Encrypted & { readonly iv: Buffer } {
    const iv = this.#takeIv();
    this.#bytes += plaintext.length;
    const { ciphertext, tag } = this.#encrypt(iv, aad, plaintext);
    return { iv, ciphertext, tag };
  }

  /** Taken before it is used: whatever fails afterwards, it never comes again. */
  #takeIv(): Buffer {
    if (this.#taken >= this.#limits.ivs) {
      throw new ClaimsealError(
        'seal.exhausted',
        `a content key has no IV left after ${this.#limits.ivs} messages`,
        {
          remedy: 'start again: a new process makes new content keys',
        },
      );
    }
    if (this.#random) randomFillSync(this.#iv);
    else this.#iv.writeUInt32BE(this.#taken, this.#iv.length - 4);
    this.#taken += 1;
    return this.#iv;
  }
}
