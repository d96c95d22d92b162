import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactEncrypt, compactDecrypt, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build, claimseal } from '../support/built.ts';

const directory = mkdtempSync(join(tmpdir(), 'claimseal-keygen-'));
beforeAll(build, 300_000);
afterAll(() => rmSync(directory, { recursive: true }));

const keyOf = (file: string) => JSON.parse(readFileSync(file, 'utf8')).keys[0];
const mode = (file: string) => statSync(file).mode & 0o777;

describe('keygen', () => {
  test.each(['EC', 'OKP', 'RSA'])(
    '%s: a pair that jose can use, the private file for its owner',
    async (kty) => {
      const out = join(directory, 'new', kty);
      const { code, stdout, stderr } = await claimseal(['keygen', '--kty', kty, '--kid', 'k1', '--out', out]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toBe(`public   ${out}.jwks.json\nprivate  ${out}.private.jwks.json\n`);
      expect(mode(`${out}.private.jwks.json`)).toBe(0o600);
      const [publicKey, privateKey] = [keyOf(`${out}.jwks.json`), keyOf(`${out}.private.jwks.json`)];
      expect(publicKey).toMatchObject({ kty, kid: 'k1', use: 'enc' });
      expect(publicKey.d).toBeUndefined();
      const jwe = await new CompactEncrypt(Buffer.from('x'))
        .setProtectedHeader({ alg: publicKey.alg, enc: 'A256GCM' })
        .encrypt(await importJWK(publicKey));
      const { plaintext } = await compactDecrypt(jwe, await importJWK(privateKey));
      expect(Buffer.from(plaintext).toString()).toBe('x');
    },
  );

  test('oct: one file, for its owner only', async () => {
    const out = join(directory, 'oct');
    const { code, stdout } = await claimseal(['keygen', '--kty', 'oct', '--out', out, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ private: `${out}.private.jwks.json` });
    expect(mode(`${out}.private.jwks.json`)).toBe(0o600);
  });

  test.each(['jwks.json', 'private.jwks.json'])(
    'never overwrites: %s stays and nothing is added',
    async (taken) => {
      const out = join(directory, `taken-${taken}`);
      writeFileSync(`${out}.${taken}`, 'mine');
      const { code, stdout, stderr } = await claimseal(['keygen', '--out', out]);
      expect(code).toBe(4);
      expect(stdout).toBe('');
      expect(stderr).toContain('file.unwritable');
      expect(stderr).toContain('remedy:');
      expect(readFileSync(`${out}.${taken}`, 'utf8')).toBe('mine');
      const other = taken === 'jwks.json' ? 'private.jwks.json' : 'jwks.json';
      expect(() => statSync(`${out}.${other}`)).toThrow('ENOENT');
    },
  );

  test('a directory that cannot be made is an error with its name, as JSON when asked for', async () => {
    writeFileSync(join(directory, 'file'), '');
    const out = join(directory, 'file', 'key');
    const { code, stderr } = await claimseal(['keygen', '--out', out, '--json']);
    expect(code).toBe(4);
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'file.unwritable',
      place: { file: join(directory, 'file') },
      remedy: expect.any(String),
    });
  });
});
