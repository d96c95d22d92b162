import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKeySet } from '../../src/seal/index.ts';
import { build, claimseal } from '../support/built.ts';

const directory = mkdtempSync(join(tmpdir(), 'claimseal-check-'));
const file = join(directory, 'claimseal.yaml');
const write = (name: string, text: string) => writeFileSync(join(directory, name), text);

const POLICY = `
version: 1
issuer: https://idp.example
source: { topics: [events], format: json, id: [/id] }
clear: [/id]
audiences:
  payroll: { keys: { file: payroll.json }, topic: payroll }
  siem: { keys: { file: siem.json }, topic: siem }
grants:
  - { claims: [/email], to: [payroll, siem] }
unlisted: drop
unmatched: drop
record: { key: drop }
`;
const payroll = generateKeySet({ kty: 'EC', kid: 'payroll-1' });

beforeAll(build, 300_000);
beforeAll(() => {
  write('claimseal.yaml', POLICY);
  write('payroll.json', payroll.public!);
  write('siem.json', generateKeySet({ kty: 'OKP', kid: 'siem-1' }).public!);
  write('private.json', payroll.private);
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('check', () => {
  test('a good configuration: keys chosen and warnings, exit 0', async () => {
    const { code, stdout, stderr } = await claimseal(['check', '--config', file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^payroll +ECDH-ES\+A256KW +kid payroll-1 +thumbprint [\w-]{43}$/m);
    expect(stdout).toMatch(/^warning: quarantine: /m);
    expect(stdout).toMatch(/: good; policy [\w-]{43}\n$/);
  });

  test('every mistake at once, exit 1; the same as JSON', async () => {
    write(
      'bad.yaml',
      `${POLICY.replace('drop\nunmatched', 'keep\nunmatched').replace('siem]', 'seim]')}extra: 1\n`,
    );
    const bad = join(directory, 'bad.yaml');
    const { code, stdout } = await claimseal(['check', '--config', bad]);
    expect(code).toBe(1);
    for (const path of ['unlisted', 'grants[0].to[1]', 'extra'])
      expect(stdout).toContain(`${bad}: ${path}\n`);
    expect(stdout).toContain('did you mean siem?');
    expect(stdout).toMatch(/: 3 mistakes\n$/);
    const json = await claimseal(['check', '--config', bad, '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, mistakes: [{}, {}, {}] });
  });

  test.each([
    ['missing', 'none.json', /none\.json/],
    ['private', 'private.json', /private/],
  ])('a %s key file is told, the other audience too, exit 1', async (_, keys, why) => {
    write('keys.yaml', POLICY.replace('file: siem.json', `file: ${keys}`));
    const args = ['check', '--config', join(directory, 'keys.yaml'), '--json'];
    const { code, stdout } = await claimseal(args);
    expect(code).toBe(1);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      ok: false,
      keys: [{ audience: 'payroll', chosen: { kid: 'payroll-1' } }, {}],
    });
    expect(report.keys[1].problem).toMatch(why);
    expect(stdout).not.toContain(JSON.parse(payroll.private).keys[0].d);
  });

  test('two audiences with one key are warned about', async () => {
    write('same.yaml', POLICY.replace('siem.json', 'payroll.json'));
    const { code, stdout } = await claimseal(['check', '--config', join(directory, 'same.yaml')]);
    expect(code).toBe(0);
    expect(stdout).toContain('warning: audiences.siem.keys: the same key as payroll');
  });

  test('a file that cannot be read is no answer: exit 2, on standard error', async () => {
    const { code, stdout, stderr } = await claimseal(['check', '--config', join(directory, 'absent.yaml')]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('config.unreadable');
  });
});
