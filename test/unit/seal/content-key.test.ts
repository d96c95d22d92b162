import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ENCS } from '../../../src/seal/algorithms.ts';
import type { AesCipher } from '../../../src/seal/content-encryption.ts';
import { ContentKey, LIMITS } from '../../../src/seal/content-key.ts';

const gcm = ENCS['A256GCM']!;
const aad = Buffer.from('aad');

describe('ContentKey', () => {
  it('zeroes the key it takes over', () => {
    const key = randomBytes(32);
    new ContentKey(gcm, key, 0, LIMITS);
    expect(key.every((byte) => byte === 0)).toBe(true);
  });

  it('shows nothing of the key however it is looked at', () => {
    const key = randomBytes(32);
    const copy = Buffer.from(key);
    const contentKey = new ContentKey(gcm, key, 0, LIMITS);
    const seen = inspect(contentKey, { depth: 9, showHidden: true }) + JSON.stringify(contentKey);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(seen).not.toContain(copy.toString(encoding));
    expect(Reflect.ownKeys(contentKey)).toEqual([]);
  });

  it('never takes an IV twice, also when encrypting fails', () => {
    const ivs: string[] = [];
    let calls = 0;
    const failing: AesCipher = {
      ...gcm,
      encryptor: (key) => {
        const encrypt = gcm.encryptor(key);
        return (iv, ...rest) => {
          ivs.push(iv.toString('hex'));
          calls += 1;
          if (calls % 3 === 0) throw new Error('failed');
          return encrypt(iv, ...rest);
        };
      },
    };
    const contentKey = new ContentKey(failing, randomBytes(32), 0, LIMITS);
    for (let i = 0; i < 300; i += 1) {
      try {
        contentKey.encrypt(aad, Buffer.from('x'));
      } catch (error) {
        expect(String(error)).toBe('Error: failed');
      }
    }
    expect(calls).toBe(300);
    expect(new Set(ivs).size).toBe(300);
  });

  it('counts a failed message against its budget', () => {
    const failing: AesCipher = {
      ...gcm,
      encryptor: () => () => {
        throw new Error('failed');
      },
    };
    const contentKey = new ContentKey(failing, randomBytes(32), 0, { ...LIMITS, messages: 1 });
    expect(contentKey.spent(1, 0)).toBeUndefined();
    expect(() => contentKey.encrypt(aad, Buffer.from('x'))).toThrow('failed');
    expect(contentKey.spent(1, 0)).toBe('messages');
  });

  it('draws IVs at random where the cipher wants it', () => {
    const random: AesCipher = { ...gcm, iv: 'random' };
    const contentKey = new ContentKey(random, randomBytes(32), 0, LIMITS);
    const ivs = Array.from({ length: 50 }, () =>
      contentKey.encrypt(aad, Buffer.from('x')).iv.toString('hex'),
    );
    expect(new Set(ivs).size).toBe(50);
    expect(ivs.some((iv) => !iv.startsWith('00000000'))).toBe(true);
  });
});
