/** Reads published JOSE vectors from the folder that JOSE_VECTORS names. They are no part of the project. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { ClaimsealError } from '../../src/errors.ts';
import { algorithms, encryptions, parsePrivateJwks } from '../../src/seal/index.ts';
import { decryptCompact } from '../../src/seal/open.ts';

const folder = process.env['JOSE_VECTORS'];
if (folder === undefined)
  process.stderr.write('\n*** JOSE vectors are NOT tried: JOSE_VECTORS does not name their folder\n');

/** `describe` where there are vectors. */
export const describeVectors = describe.skipIf(folder === undefined);

export type Jwk = Readonly<Record<string, unknown>>;

/** A file of vectors; where there are none an empty list, so that files load and their tests are skipped. */
export function vectors<File>(path: string): readonly File[] {
  return folder === undefined ? [] : [JSON.parse(readFileSync(join(folder, path), 'utf8')) as File];
}

export function vectorFiles(directory: string): readonly string[] {
  return folder === undefined
    ? []
    : readdirSync(join(folder, directory)).map((name) => `${directory}/${name}`);
}

export interface WycheproofTest {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

/** Tests of a Wycheproof file, each with its group. */
export function wycheproof<Group, Test extends WycheproofTest>(
  name: string,
): readonly { readonly group: Group; readonly test: Test }[] {
  return vectors<{ testGroups: readonly (Group & { readonly tests: readonly Test[] })[] }>(
    `wycheproof/${name}_test.json`,
  ).flatMap(({ testGroups }) => testGroups.flatMap((group) => group.tests.map((test) => ({ group, test }))));
}

export const hex = (text: string): Buffer => Buffer.from(text, 'hex');
export const b64u = (text: string): Buffer => Buffer.from(text, 'base64url');

/** A private key as it is, and without what would bind it to one algorithm: the opener must hold by itself. */
export const forms = (jwk: Jwk): readonly Jwk[] => {
  const { alg: _alg, use: _use, key_ops: _ops, ...bare } = jwk;
  return jwk['alg'] === undefined ? [bare] : [jwk, bare];
};

export const setOf = (...keys: readonly Jwk[]): Buffer => Buffer.from(JSON.stringify({ keys }));

/** What our opener makes of a JWE: the plaintext, or undefined where it refuses as it always must refuse. */
export function opened(jwe: string, key: Jwk): Buffer | undefined {
  const keys = parsePrivateJwks(setOf(key));
  try {
    const options = { keys, algs: algorithms, encs: encryptions, maxBytes: 1_000_000 };
    return decryptCompact(jwe, options).plaintext;
  } catch (error) {
    if (
      error instanceof ClaimsealError &&
      error.code === 'open.failed' &&
      error.message === 'the JWE does not open' &&
      error.cause === undefined
    )
      return undefined;
    throw error;
  }
}
