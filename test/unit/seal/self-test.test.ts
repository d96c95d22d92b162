import { createDecipheriv } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AesCipher } from '../../../src/seal/content-encryption.ts';
import type { KeyManagement } from '../../../src/seal/key-management.ts';
import { selfTest } from '../../../src/seal/self-test.ts';
import { KTYS, type Kty, PAIRS } from './support.ts';

/** What rows of the two tables do instead. It is our own module that is bent, never node:crypto. */
const bent = vi.hoisted(() => ({
  algs: {} as Record<string, Partial<KeyManagement>>,
  encs: {} as Record<string, Partial<AesCipher>>,
}));
type Tables = typeof import('../../../src/seal/algorithms.ts');
vi.mock('../../../src/seal/algorithms.ts', async (original) => {
  const real = await original<Tables>();
  const bend = <Row extends object>(rows: Readonly<Record<string, Row>>, table: 'algs' | 'encs') =>
    new Proxy(
      { ...rows },
      { get: (own, name: string) => own[name] && { ...own[name], ...bent[table][name] } },
    );
  return { ...real, ALGS: bend(real.ALGS, 'algs'), ENCS: bend(real.ENCS, 'encs') };
});
const real = await vi.importActual<Tables>('../../../src/seal/algorithms.ts');

afterEach(() => {
  bent.algs = {};
  bent.encs = {};
});

const caseOf = (kty: Kty, enc = 'A256GCM') => ({ key: PAIRS[kty].recipient, enc });
const failure = { code: 'seal.selfTest', disposition: 'halt' };

/** Wraps as the real row does, then changes what comes out; counts. */
function bendWrap(alg: string, change: (wrapped: ReturnType<KeyManagement['wrap']>) => object): () => number {
  let count = 0;
  const wrap: KeyManagement['wrap'] = (...args) => {
    count += 1;
    const wrapped = real.ALGS[alg]!.wrap(...args);
    return { ...wrapped, ...change(wrapped) };
  };
  bent.algs = { [alg]: { wrap } };
  return () => count;
}

describe('selfTest', () => {
  it('passes with every kind of key and every enc as they are', () => {
    expect(() => selfTest(KTYS.flatMap((kty) => [caseOf(kty), caseOf(kty, 'A128GCM')]))).not.toThrow();
  });

  it.each(KTYS)('finds a wrap to %s that tells another content key', (kty) => {
    bendWrap(PAIRS[kty].alg, () => ({ contentKey: Buffer.alloc(32, 7) }));
    expect(() => selfTest([caseOf(kty)])).toThrow(expect.objectContaining(failure));
  });

  it.each(KTYS)('finds a wrap to %s that is cut short', (kty) => {
    bendWrap(PAIRS[kty].alg, ({ encryptedKey }) => ({ encryptedKey: encryptedKey.subarray(8) }));
    expect(() => selfTest([caseOf(kty)])).toThrow(expect.objectContaining(failure));
  });

  it.each(['EC', 'OKP'] as const)('finds a wrap to %s without its ephemeral key', (kty) => {
    bendWrap(PAIRS[kty].alg, () => ({ header: {} }));
    expect(() => selfTest([caseOf(kty)])).toThrow(expect.objectContaining(failure));
  });

  it('finds an unwrap that throws', () => {
    const unwrap = () => {
      throw new Error('broken');
    };
    bent.algs = { A256KW: { unwrap } };
    expect(() => selfTest([caseOf('oct')])).toThrow(expect.objectContaining(failure));
  });

  it('finds an enc that takes any tag', () => {
    // GCM without its tag is counter mode from block 2
    const decrypt: AesCipher['decrypt'] = (key, iv, _aad, { ciphertext }) =>
      createDecipheriv('aes-256-ctr', key, Buffer.concat([iv, Buffer.from([0, 0, 0, 2])])).update(ciphertext);
    bent.encs = { A256GCM: { decrypt } };
    expect(() => selfTest([caseOf('oct')])).toThrow(expect.objectContaining(failure));
    expect(() => selfTest([caseOf('oct', 'A128GCM')])).not.toThrow();
  });

  it('says which combination failed, and nothing of a key', () => {
    bendWrap('A256KW', () => ({ contentKey: Buffer.alloc(32, 7) }));
    expect(() => selfTest([caseOf('EC'), caseOf('oct', 'A128GCM')])).toThrow(
      expect.objectContaining({
        message: 'A256KW A128GCM with oct: what was sealed did not open to the same bytes',
      }),
    );
  });

  it('tries each combination once', () => {
    const counted = bendWrap('A256KW', () => ({}));
    selfTest([caseOf('oct')]);
    const once = counted();
    expect(once).toBeGreaterThan(0);
    selfTest([caseOf('oct'), caseOf('oct'), caseOf('oct')]);
    expect(counted()).toBe(2 * once);
  });
});
