import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ClaimsealError, ConfigError, type Mistake } from '../../../src/errors.ts';
import { loadConfig } from '../../../src/ops/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'claimseal-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

const GOOD = `
version: 1
issuer: https://idp.example
source: { topics: [events], format: json, id: [/id] }
clear: [/id, /type]
audiences:
  payroll: { keys: { file: keys/payroll.json }, topic: payroll }
grants:
  - { claims: [/x], to: [payroll], when: { /type: a } }
unlisted: drop
unmatched: drop
record: { key: drop }
`;

let n = 0;
const load = (text: string | Buffer, env: Record<string, string> = {}) => {
  n += 1;
  const file = join(directory, `${n}.yaml`);
  writeFileSync(file, text);
  return loadConfig(file, (bytes) => bytes.toString(), env);
};
const mistakes = async (text: string, env: Record<string, string> = {}): Promise<readonly Mistake[]> => {
  const error = await load(text, env).then(
    () => undefined,
    (e) => e,
  );
  if (error !== undefined && !(error instanceof ConfigError)) throw error;
  return error?.mistakes ?? [];
};

describe('YAML', () => {
  test('a good document; files count from its folder', async () => {
    const { config, baseDir } = await load(GOOD);
    expect(baseDir).toBe(directory);
    expect(config.audiences['payroll']?.keys).toMatchObject({ file: join(directory, 'keys/payroll.json') });
  });

  test.each([
    ['the same member twice', `${GOOD}unlisted: clear\n`, 'the same member twice'],
    [
      'the same member twice, deep down',
      GOOD.replace('/type: a', '/type: a, /type: b'),
      'the same member twice',
    ],
    ['a second document', `${GOOD}---\n${GOOD}`, 'a second document'],
    ['YAML 1.1', `%YAML 1.1\n---${GOOD}`, 'a %YAML 1.1 directive'],
  ])('%s is refused with its line', async (_, text, got) => {
    expect(await mistakes(text)).toContainEqual(
      expect.objectContaining({ path: expect.stringMatching(/^line \d+/), got }),
    );
  });

  test('what is no YAML is refused without being quoted', async () => {
    const found = await mistakes(`${GOOD}secret: "hunter2`);
    expect(found).not.toEqual([]);
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  test('aliases that multiply, and those that are circular', async () => {
    const bombs = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [to, from] of ['ba', 'cb', 'dc', 'ed', 'fe']) {
      bombs.push(`${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`)}]`);
    }
    const started = performance.now();
    expect(await mistakes(bombs.join('\n'))).not.toEqual([]);
    expect(await mistakes(`${GOOD}loop: &l [*l]\n`)).not.toEqual([]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('numbers that a double would change', async () => {
    const text = GOOD.replace('/type: a', '/type: 9007199254740993');
    expect(await mistakes(text)).toContainEqual(
      expect.objectContaining({ path: 'grants[0].when["/type"]', got: 'one that it rounds' }),
    );
  });

  test.each([
    '12345678901234567890',
    '0.12345678901234567891',
    '!12345678901234567890',
    '|98765',
    '>hunter2 b',
    '}hunter2',
    '@hunter2',
  ])('a password without quotes is not shown: %s', async (password) => {
    const sasl = `{ mechanism: plain, username: u, password: ${password} }`;
    const kafka = `kafka:\n  brokers: [localhost:9092]\n  groupId: g\n`;
    const block = `${GOOD}${kafka}  sasl:\n    mechanism: plain\n    username: u\n    password: ${password}\n`;
    for (const text of [block, `${GOOD}${kafka}  sasl: ${sasl}\n`, `${GOOD}${kafka}  sasl: ${password}\n`]) {
      const found = await mistakes(text);
      expect(found).not.toEqual([]);
      expect(JSON.stringify(found)).not.toContain(password.replace(/^\W/, ''));
    }
  });

  test.each([
    ['a missing blank', 'mechanism: plain, username: u, password:hunter2'],
    ['a missing colon', 'mechanism: plain, username: u, hunter2'],
    ['braces', 'mechanism: plain, username: u, password: {hunter2}'],
    ['a template that was not filled in', 'mechanism: plain, username: u, password: {{hunter2}}'],
  ])('a secret that %s makes a name of is not shown', async (_, sasl) => {
    const warned: unknown[] = [];
    const listen = (warning: Error) => warned.push(warning.message);
    process.on('warning', listen);
    const found = await mistakes(
      `${GOOD}kafka: { brokers: ["u:hunter2@h:9092"], groupId: g, sasl: { ${sasl} } }\n`,
    );
    await new Promise(setImmediate);
    process.off('warning', listen);
    expect(found).not.toEqual([]);
    expect(JSON.stringify([found, warned])).not.toContain('hunter2');
  });

  test.each([
    ['an alias', 'grants:\n  - { &c claims: [/x], to: [payroll], *c : [/y] }'],
    ['a number beside its text', 'grants:\n  - { claims: [/x], to: [payroll], when: { 1: a, "1": b } }'],
  ])('a member that %s would make vanish', async (_, grants) => {
    expect(await mistakes(GOOD.replace(/grants:\n.*\n/, `${grants}\n`))).toContainEqual(
      expect.objectContaining({ path: expect.stringMatching(/^line \d+/) }),
    );
  });

  test('__proto__ is no way around a condition', async () => {
    expect(await mistakes(GOOD.replace('{ /type: a }', '{ __proto__: a }'))).not.toEqual([]);
    expect(await mistakes(`${GOOD}__proto__: { unlisted: clear }\n`)).not.toEqual([]);
  });

  test.each([
    ['missing', undefined],
    ['not UTF-8', Buffer.from([0xff, 0xfe])],
  ])('a file that is %s', async (_, bytes) => {
    const loading = bytes === undefined ? loadConfig(join(directory, 'none'), String) : load(bytes);
    await expect(loading).rejects.toMatchObject({ code: 'config.unreadable' });
    await expect(loading).rejects.toBeInstanceOf(ClaimsealError);
  });
});

describe('environment and secret files', () => {
  const text = GOOD.replace('[events]', '["${TOPIC}"]').replace(
    '{ key: drop }',
    '{ key: hmac, secret: "${SECRET}" }',
  );
  const env = { TOPIC: 'from-env', SECRET: 'a secret of 16 bytes' };

  test('variables are filled in; the digest has them as they are written', async () => {
    const { config, digest } = await load(text, env);
    expect(config.source.topics).toEqual(['from-env']);
    expect(config.record.secret).toBe(env.SECRET);
    expect(digest).toContain('${TOPIC}');
    expect(digest).not.toContain('from-env');
    expect(digest).not.toContain('SECRET');
    expect((await load(text, { ...env, TOPIC: 'another' })).digest).toBe(digest);
  });

  test('all that are missing are named, each once', async () =>
    expect((await mistakes(text)).map(({ path, expected }) => [path, expected])).toEqual([
      ['source.topics[0]', 'environment variable TOPIC'],
      ['record.secret', 'environment variable SECRET'],
    ]));

  test('a value from the environment is not shown in a mistake', async () => {
    const found = await mistakes(text, { TOPIC: 'planted value', SECRET: 'short' });
    expect(found.map(({ path }) => path)).toEqual(['source.topics[0]', 'record.secret']);
    expect(JSON.stringify(found)).not.toMatch(/planted|short"/);
  });

  test('nothing is expanded twice', async () =>
    expect((await load(text, { ...env, SECRET: '${TOPIC} is sixteen' })).config.record.secret).toBe(
      '${TOPIC} is sixteen',
    ));

  test('a secret file is read, its last newline cut off; one that is missing or no text is named', async () => {
    writeFileSync(join(directory, 'secret'), 'sixteen bytes of it\n');
    const file = (name: string) => GOOD.replace('{ key: drop }', `{ key: hmac, secret: { file: ${name} } }`);
    expect((await load(file('secret'))).config.record.secret).toBe('sixteen bytes of it');
    expect(await mistakes(file('none'))).toMatchObject([{ path: 'record.secret.file', got: 'ENOENT' }]);
    writeFileSync(join(directory, 'bytes'), Buffer.alloc(32, 0x9c));
    expect(await mistakes(file('bytes'))).toMatchObject([
      { path: 'record.secret.file', got: 'it is not UTF-8' },
    ]);
  });
});
