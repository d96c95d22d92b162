/** Whole JWE: RFC 7516, 7517, 7520, other producers, Wycheproof, and what other libraries' suites refuse. */
import { expect, test } from 'vitest';
import { algorithms, encryptions } from '../../src/seal/index.ts';
import {
  b64u,
  describeVectors,
  forms,
  hex,
  type Jwk,
  opened,
  vectorFiles,
  vectors,
  type WycheproofTest,
  wycheproof,
} from './support.ts';

interface Vector {
  readonly id: string;
  readonly result: 'valid' | 'invalid';
  readonly key: string;
  readonly plaintext_b64u?: string;
  readonly jwe: string;
}

interface VectorFile {
  readonly keys: Readonly<Record<string, Jwk>>;
  readonly vectors: readonly Vector[];
}

interface Cookbook {
  readonly input?: { readonly key?: Jwk | readonly Jwk[] };
  readonly encrypt?: { readonly input: { readonly key: Jwk }; readonly output: Output };
  readonly output?: Output;
}

interface Output {
  readonly compact?: string;
  readonly json?: object;
  readonly json_flat?: object;
}

/** What this version does not do is refused, however valid it is. */
function supported(jwe: string): boolean {
  try {
    const header = JSON.parse(b64u(jwe.split('.')[0]!).toString()) as Jwk;
    return (
      algorithms.includes(String(header['alg'])) &&
      encryptions.includes(String(header['enc'])) &&
      header['zip'] === undefined
    );
  } catch {
    return false;
  }
}

describeVectors('JWE', () => {
  const collected = [
    'rfc/rfc7516.json',
    'foreign/upstream-samples.json',
    'negative/go-jose.json',
    'negative/jose4j-nimbus.json',
  ].flatMap((path) =>
    vectors<VectorFile>(path).flatMap(({ keys, vectors }) =>
      vectors.map((vector) => ({ ...vector, jwk: keys[vector.key]! })),
    ),
  );

  test('of RFCs, other producers and negative suites: open or are refused alike', () => {
    const accepted: string[] = [];
    for (const { id, result, jwk, jwe, plaintext_b64u } of collected) {
      const text = typeof jwe === 'string' ? jwe : JSON.stringify(jwe);
      for (const key of forms(jwk)) {
        const plaintext = opened(text, key);
        if (result === 'valid' && supported(text)) {
          expect(plaintext, id).toEqual(b64u(plaintext_b64u!));
          accepted.push(id);
        } else expect(plaintext, id).toBeUndefined();
      }
    }
    expect(collected.length).toBeGreaterThan(115);
    expect(accepted).toEqual(['nimbus-rsa-13', 'nimbus-rsa-15']);
  });

  test('of RFC 7520 and its Curve25519 draft are refused: no algorithm of theirs is ours', () => {
    let tried = 0;
    for (const path of vectorFiles('rfc7520')) {
      const [file] = vectors<Cookbook>(path);
      const { input, output } = file!.encrypt ?? file!;
      const keys = [input?.key ?? []].flat() as readonly Jwk[];
      for (const text of [output?.compact, output?.json, output?.json_flat]) {
        if (text === undefined) continue;
        const jwe = typeof text === 'string' ? text : JSON.stringify(text);
        expect(supported(jwe), path).toBe(false);
        for (const key of keys.flatMap(forms)) {
          expect(opened(jwe, key), path).toBeUndefined();
          tried += 1;
        }
      }
    }
    expect(tried).toBeGreaterThan(40);
  });

  test('of Wycheproof: open or are refused alike', () => {
    const accepted: number[] = [];
    const all = wycheproof<{ private: Jwk }, WycheproofTest & { jwe: unknown; pt?: string }>(
      'json_web_encryption',
    );
    for (const { group, test } of all) {
      const jwe = typeof test.jwe === 'string' ? test.jwe : JSON.stringify(test.jwe);
      // only the `alg` of the key tells what the key is for
      const keys = test.flags.includes('WrongCipher') ? [group.private] : forms(group.private);
      const valid = test.result === 'valid' && supported(jwe);
      for (const key of keys) {
        const plaintext = opened(jwe, key);
        const name = `${test.tcId} ${test.comment}`;
        if (valid) expect(plaintext?.equals(hex(test.pt!)), name).toBe(true);
        else expect(plaintext, name).toBeUndefined();
      }
      if (valid) accepted.push(test.tcId);
    }
    expect(all.length).toBe(139);
    expect(accepted).toEqual([23, 29, 62, 66, 88, 90, 121]);
  });
});
