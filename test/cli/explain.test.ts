import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKeySet } from '../../src/seal/index.ts';
import { build, claimseal } from '../support/built.ts';

const directory = mkdtempSync(join(tmpdir(), 'claimseal-explain-'));
const file = join(directory, 'claimseal.yaml');
const policy = (audiences: string, to: string) => `
version: 1
issuer: https://idp.example
source: { topics: [events], format: json, id: [/id] }
clear: [/id, /type]
audiences:
${audiences}
  router: { keys: none, topic: router }
grants:
  - { claims: [/email], to: ${to}, when: { /type: "user.*" } }
  - { claims: [/roles], to: [siem] }
unlisted: drop
unmatched: drop
record: { key: drop }
`;
const audience = (name: string) => `  ${name}: { keys: { file: ${name}.json }, topic: t-${name} }`;

beforeAll(build, 300_000);
beforeAll(() => {
  writeFileSync(file, policy(`${audience('payroll')}\n${audience('siem')}`, '[payroll]'));
  writeFileSync(join(directory, 'payroll.json'), generateKeySet({ kty: 'RSA', kid: 'payroll-1' }).public!);
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('explain', () => {
  test('the matrix, conditions, keys; an audience without a key is told and does not hide it', async () => {
    const { code, stdout, stderr } = await claimseal(['explain', '--config', file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\/id +clear +clear +clear +clear$/m);
    expect(stdout).toMatch(/^\/email +reads \[1\] +- +- +grants\[0\]$/m);
    expect(stdout).toMatch(/^\/roles +- +reads +- +grants\[1\]$/m);
    expect(stdout).toContain('[1] /type = "user.*"');
    expect(stdout).toMatch(/^payroll +t-payroll +RSA-OAEP-256 +A256GCM +kid payroll-1$/m);
    expect(stdout).toMatch(/^siem .* NO KEY$/m);
  });

  test('as JSON, for a program that compares', async () => {
    const { code, stdout } = await claimseal(['explain', '--config', file, '--json']);
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    expect(Object.keys(answer)).toEqual(['digest', 'unlisted', 'unmatched', 'audiences', 'claims']);
    expect(answer).toMatchObject({
      digest: expect.stringMatching(/^[\w-]{43}$/),
      unlisted: 'drop',
      unmatched: 'drop',
    });
    const none = { alg: null, kid: null, thumbprint: null, symmetric: false };
    expect(answer.audiences).toEqual([
      {
        name: 'payroll',
        topic: 't-payroll',
        keys: 'sealed',
        alg: 'RSA-OAEP-256',
        enc: 'A256GCM',
        kid: 'payroll-1',
        thumbprint: expect.stringMatching(/^[\w-]{43}$/),
        symmetric: false,
      },
      { name: 'siem', topic: 't-siem', keys: 'sealed', enc: 'A256GCM', ...none },
      { name: 'router', topic: 'router', keys: 'none', enc: null, ...none },
    ]);
    expect(answer.claims).toEqual([
      ...['/id', '/type'].map((pointer) => ({
        pointer,
        designated: false,
        readers: ['payroll', 'siem', 'router'].map((audience) => ({ audience, how: 'clear', grants: [] })),
      })),
      {
        pointer: '/email',
        designated: true,
        readers: [
          { audience: 'payroll', how: 'sealed', grants: [{ index: 0, when: { '/type': 'user.*' } }] },
        ],
      },
      {
        pointer: '/roles',
        designated: true,
        readers: [{ audience: 'siem', how: 'sealed', grants: [{ index: 1, when: null }] }],
      },
    ]);
  });

  test('many audiences are listed below each claim, since columns would be too wide', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `audience-${n}`);
    const many = join(directory, 'many.yaml');
    writeFileSync(many, policy([...names, 'siem'].map(audience).join('\n'), `[${names}]`));
    const { code, stdout } = await claimseal(['explain', '--config', many]);
    expect(code).toBe(0);
    expect(stdout).toContain('/email  (grants[0])\n  audience-0 reads [1]\n');
    expect(stdout).toContain('/roles  (grants[1])\n  siem reads\n\n');
  });

  test('fits 100 columns, and a kid cannot move the cursor', async () => {
    const long = join(directory, 'long.yaml');
    const wide = Array.from({ length: 12 }, (_, n) => `"user.department-${n}.*"`);
    writeFileSync(
      long,
      policy(`  siem: { keys: { file: evil.json }, topic: ${'t'.repeat(60)} }`, '[siem]').replace(
        '"user.*"',
        `[${wide}]`,
      ),
    );
    const evil = generateKeySet({ kty: 'EC', kid: 'red\u001b[31m\nsiem: fine' }).public!;
    writeFileSync(join(directory, 'evil.json'), evil);
    const { code, stdout } = await claimseal(['explain', '--config', long]);
    expect(code).toBe(0);
    expect(stdout).toContain('NO KEY');
    expect(stdout).toContain('kid has characters that are not printed');
    expect(stdout).not.toContain('\u001b');
    const lines = stdout.split('\n').filter((line) => !line.includes(directory)); // a path is as long as it is
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('mistakes: exit 2', async () => {
    const bad = join(directory, 'bad.yaml');
    writeFileSync(bad, 'version: 1\n');
    const { code, stdout, stderr } = await claimseal(['explain', '--config', bad]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('config.invalid');
  });
});
