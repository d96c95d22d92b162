import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AesCipher } from '../../../src/seal/content-encryption.ts';
import type { KeyManagement } from '../../../src/seal/key-management.ts';
import { selfTest } from '../../../src/seal/self-test.ts';
import { KTYS, PAIRS } from './support.ts';

/** What the tables are made to say instead; our own module, not node:crypto. */
const bent = vi.hoisted(() => ({
  alg: {} as Record<string, Partial<KeyManagement>>,
  enc: {} as Record<string, Partial<AesCipher>>,
}));
vi.mock('../../../src/seal/algorithms.ts', async (original) => {
  const real = await original<typeof import('../../../src/seal/algorithms.ts')>();
  const over = <Row extends object>(rows: Readonly<Record<string, Row>>, by: Record<string, Partial<Row>>) =>
    new Proxy(rows, {
      get: (target, name: string) => {
        const row = target[name];
        return row === undefined ? undefined : { ...row, ...by[name] };
      },
    });
  // a frozen table must answer with its own rows, so the proxies stand on copies
  return { ...real, ALGS: over({ ...real.ALGS }, bent.alg), ENCS: over({ ...real.ENCS }, bent.enc) };
});
const { ALGS, ENCS } = await import('../../../src/seal/algorithms.ts');

const caseOf = (kty: (typeof KTYS)[number], enc = 'A256GCM') => ({ key: PAIRS[kty].recipient, enc });
const failure = expect.objectContaining({ code: 'seal.selfTest', disposition: 'halt' });

afterEach(() => {
  bent.alg = {};
  bent.enc = {};
  for (const name of Object.keys(bent.alg)) delete bent.alg[name];
});

describe('selfTest', () => {
  it('passes with every kind of key and enc as they are', () => {
    expect(() =>
      selfTest(KTYS.flatMap((kty) => [caseOf(kty), caseOf(kty, 'A128GCM')])),
    ).not.toThrow();
  });
});
