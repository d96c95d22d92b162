/** `claimseal seal` and `claimseal open`, typed in a terminal: round trips, bad input, full disks, moved JWEs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compactDecrypt, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build, claimseal, MAIN, start } from '../support/built.ts';
import { leaks } from '../support/secrets.ts';

let dir: string;
let config: string;
const POLICY = `version: 1
issuer: https://idp.example/events
source: { topics: [events], format: json, id: [/source, /id] }
clear: [/id, /source, /type]
audiences:
  payroll: { keys: { file: keys/payroll.jwks.json }, topic: identity.payroll }
  siem: { keys: { file: keys/siem.jwks.json }, topic: identity.siem }
  router: { keys: none, topic: identity.routing }
grants:
  - { claims: [/data/email], to: [payroll] }
  - { claims: [/data/roles], to: [siem] }
unlisted: reject
unmatched: drop
record: { key: pass }
quarantine: { keys: { file: keys/quarantine.jwks.json }, topic: identity.quarantine }
`;
const SECRET = 'ada-of-secret-street@corp.example';
const event = (n: number) =>
  JSON.stringify({
    id: `e${n}`,
    source: '/idp',
    type: 't',
    data: { email: SECRET, roles: [`r${n}`, SECRET] },
  });

beforeAll(async () => {
  await build();
  dir = mkdtempSync(join(tmpdir(), 'claimseal-seal-'));
  for (const name of ['payroll', 'siem', 'quarantine']) {
    await claimseal(['keygen', '--kid', `${name}-1`, '--out', join(dir, 'keys', name)]);
  }
  config = join(dir, 'claimseal.yaml');
  writeFileSync(config, POLICY);
}, 300_000);
afterAll(() => rmSync(dir, { recursive: true }));

const seal = (stdin: string | Buffer, ...args: string[]) =>
  claimseal(['seal', '--config', config, ...args], { stdin });
const open = (audience: string, stdin: string, ...args: string[]) =>
  claimseal(
    [
      'open',
      '--keys',
      join(dir, `keys/${audience}.private.jwks.json`),
      '--audience',
      audience,
      '--id',
      '/source,/id',
      ...args,
    ],
    { stdin },
  );
const privateKey = (name: string) => {
  const [jwk] = JSON.parse(readFileSync(join(dir, `keys/${name}.private.jwks.json`), 'utf8')).keys;
  return importJWK(jwk, jwk.alg);
};
const lines = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('seal', () => {
  test('writes a file for each topic, which open turns into views', async () => {
    const input = join(dir, 'events.ndjson');
    writeFileSync(input, `${event(0)}\n\n${event(1)}\r\n${event(2)}`);
    const out = join(dir, 'round-trip');
    const { code, stdout, stderr } = await seal('', '--in', input, '--out', out);
    expect([code, stdout, stderr]).toEqual([0, '', '3 events, 0 of them quarantined\n']);
    expect(readdirSync(out).sort()).toEqual([
      'identity.payroll.ndjson',
      'identity.quarantine.ndjson',
      'identity.routing.ndjson',
      'identity.siem.ndjson',
    ]);
    const sealed = lines(readFileSync(join(out, 'identity.siem.ndjson'), 'utf8'));
    expect(sealed.map(({ topic, key, headers }) => [topic, key, headers['claimseal-source']])).toEqual([
      ['identity.siem', null, 'events.ndjson/0/0'],
      ['identity.siem', null, 'events.ndjson/0/2'],
      ['identity.siem', null, 'events.ndjson/0/3'],
    ]);
    const { plaintext } = await compactDecrypt(JSON.parse(sealed[1].value).sealed, await privateKey('siem'));
    const view = { id: 'e1', source: '/idp', type: 't', data: { roles: ['r1', SECRET] } };
    expect(JSON.parse(new TextDecoder().decode(plaintext))).toEqual(view);

    const opened = await open('siem', '', '--in', join(out, 'identity.siem.ndjson'));
    expect([opened.code, opened.stderr]).toEqual([0, '']);
    expect(lines(opened.stdout)[1]).toEqual(view);
    const bare = sealed.map(({ value }) => `${value}\n`).join('');
    expect((await open('siem', bare)).stdout).toBe(opened.stdout);
  });

  test('to standard output, a subset', async () => {
    const { code, stdout } = await seal(event(0), '--out', '-', '--audience', 'payroll,router');
    expect(code).toBe(0);
    expect(lines(stdout).map(({ topic }) => topic)).toEqual(['identity.payroll', 'identity.routing']);
    expect(leaks({ SECRET }, { stdout })).toEqual([]);
  });

  test('bad events go sealed to the quarantine, the others on; the exit code tells', async () => {
    const bad = [`{"id":"${SECRET}`, event(1).replace('"type"', `"${SECRET}":1,"type"`), `["${SECRET}"]`];
    const { code, stdout, stderr } = await seal([event(0), ...bad, event(2)].join('\n'), '--out', '-');
    expect(code).toBe(1);
    expect(stderr).toContain(
      '5 events, 3 of them quarantined (event.notJson 1, event.unlisted 1, event.notObject 1)\n',
    );
    const quarantined = lines(stdout).filter(({ topic }) => topic === 'identity.quarantine');
    expect(quarantined).toHaveLength(3);
    expect(lines(stdout).filter(({ topic }) => topic === 'identity.siem')).toHaveLength(2);
    expect(leaks({ SECRET }, { stdout, stderr })).toEqual([]);
    const { plaintext, protectedHeader } = await compactDecrypt(
      quarantined[0].value,
      await privateKey('quarantine'),
    );
    expect(protectedHeader['evt']).toEqual(['stdin', 0, 1]);
    const kept = JSON.parse(new TextDecoder().decode(plaintext));
    expect(Buffer.from(kept.value, 'base64').toString()).toBe(bad[0]);
  });

  test('each kind of bad event is named by its code, and none is in clear', async () => {
    const good = event(0);
    const email = `"email":"${SECRET}"`;
    const bad: [string, string | Buffer][] = [
      ['event.notJson', `{"id":"${SECRET}`],
      ['event.notUtf8', Buffer.concat([Buffer.from(good.slice(0, -2)), Buffer.of(0xff), Buffer.from('}}')])],
      ['event.duplicateMember', good.replace(email, `${email},${email}`)],
      ['event.tooDeep', good.replace(email, `"email":${'['.repeat(500)}"${SECRET}"${']'.repeat(500)}`)],
      ['event.tooLarge', good.replace(SECRET, SECRET.repeat(100_000))],
      ['event.loneSurrogate', good.replace(SECRET, `${SECRET}\\ud800`)],
      ['event.sealedMember', good.replace('"type"', `"sealed":"${SECRET}","type"`)],
      ['event.unlisted', good.replace('"type"', `"__proto__":{"a":"${SECRET}"},"type"`)],
      ['event.id', good.replace('"id":"e0",', '')],
      ['event.id', good.replace('"id":"e0"', `"id":{"a":"${SECRET}"}`)],
    ];
    const exact = good.replace(email, '"email":12345678901234567890.123');
    const input = [...bad.map(([, line]) => line), exact].flatMap((line) => [
      Buffer.from(line),
      Buffer.from('\n'),
    ]);
    const { code, stdout, stderr } = await seal(Buffer.concat(input), '--out', '-');
    expect(code).toBe(1);
    expect(leaks({ SECRET }, { stdout, stderr })).toEqual([]);
    const kept = lines(stdout).filter(({ topic }) => topic === 'identity.quarantine');
    expect(kept.map(({ headers }) => headers['claimseal-code'])).toEqual(bad.map(([expected]) => expected));
    const opened = await open(
      'payroll',
      `${lines(stdout).find(({ topic }) => topic === 'identity.payroll').value}`,
    );
    expect(opened.stdout).toContain('"email":12345678901234567890.123');
  });

  test('open reads the quarantine back, and refuses it moved or with other keys', async () => {
    const bad = `{"id":"${SECRET}`;
    const { stdout } = await seal([event(0), bad].join('\n'), '--out', '-');
    const [line] = lines(stdout).filter(({ topic }) => topic === 'identity.quarantine');
    const args = (keys: string) => [
      'open',
      '--keys',
      join(dir, `keys/${keys}.private.jwks.json`),
      '--audience',
      'quarantine',
    ];
    const opened = await claimseal(args('quarantine'), { stdin: JSON.stringify(line) });
    expect([opened.code, opened.stderr]).toEqual([0, '']);
    const [kept] = lines(opened.stdout);
    expect(kept).toMatchObject({
      topic: 'stdin',
      partition: 0,
      offset: '1',
      key: null,
      code: 'event.notJson',
    });
    expect(Buffer.from(kept.value, 'base64').toString()).toBe(bad);
    const other = await claimseal(args('siem'), { stdin: line.value });
    expect([other.code, other.stdout, other.stderr]).toEqual([1, '', 'line 1: open.failed\n']);
    const view = lines(stdout).find(({ topic }) => topic === 'identity.siem').value;
    const wrong = await claimseal(args('siem'), { stdin: JSON.parse(view).sealed });
    expect(wrong.stderr).toBe('line 1: open.failed\n');
  });

  test('nothing in, nothing out', async () => {
    const { code, stdout } = await seal('', '--out', '-');
    expect([code, stdout]).toEqual([0, '']);
  });

  test('a missing key stops it before anything is written', async () => {
    const other = join(dir, 'other.yaml');
    writeFileSync(other, POLICY.replace('keys/siem.jwks.json', 'keys/nobody.jwks.json'));
    const { code, stdout, stderr } = await claimseal(['seal', '--config', other, '--out', '-'], {
      stdin: event(0),
    });
    expect([code, stdout]).toEqual([4, '']);
    expect(stderr).toMatch(/keys\.unreadable[\s\S]*nobody\.jwks\.json[\s\S]*remedy/);
  });

  test.each([
    ['a file that is not there', ['--in', '/nowhere/events.ndjson', '--out', '-'], 'file.unreadable'],
    ['a folder as input', ['--in', '/', '--out', '-'], 'file.unreadable'],
    ['an output that exists', ['--out', '@existing'], 'file.unwritable'],
    ['a folder below a file', ['--out', '@existing/identity.siem.ndjson/x'], 'file.unwritable'],
  ])('%s', async (_name, args, errorCode) => {
    const existing = join(dir, 'existing');
    mkdirSync(existing, { recursive: true });
    writeFileSync(join(existing, 'identity.siem.ndjson'), 'mine');
    const { code, stderr } = await seal(event(0), ...args.map((arg) => arg.replace('@existing', existing)));
    expect(stderr).toMatch(new RegExp(`^claimseal: ${errorCode}: .*\n {2}at: file .*\n {2}remedy: \\S`));
    expect(code).not.toBe(0);
    expect(readdirSync(existing)).toEqual(['identity.siem.ndjson']);
    expect(readFileSync(join(existing, 'identity.siem.ndjson'), 'utf8')).toBe('mine');
  });

  test('a folder that may not be written to', async (context) => {
    if (process.getuid?.() === 0) return context.skip('root may write everywhere');
    const closed = join(dir, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    const { code, stderr } = await seal(event(0), '--out', closed);
    expect([code, stderr]).toEqual([4, expect.stringContaining('file.unwritable')]);
  });

  test('a full disk: an error, and no part under a final name', async (context) => {
    const disk = join(dir, 'disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
    if (mounted.status !== 0) return context.skip('a small disk cannot be mounted here');
    try {
      const many = Array.from({ length: 2000 }, (_, n) => event(n)).join('\n');
      const { code, stderr } = await seal(many, '--out', disk);
      expect(code).toBe(4);
      expect(stderr).toMatch(
        /file\.unwritable: cannot be written \(ENOSPC\)[\s\S]*identity\.\w+\.ndjson[\s\S]*remedy: free space/,
      );
      expect(readdirSync(disk)).toEqual([]);
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  test('a full device as standard output', async () => {
    const script = `exec "$0" "$1" seal --config "$2" --out - > /dev/full`;
    const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, MAIN, config], {
      input: event(0),
      encoding: 'utf8',
    });
    expect(status).toBe(4);
    expect(stderr).toContain('ENOSPC');
  });

  test('a reader that goes away ends it, quietly', async () => {
    const many = Array.from({ length: 20_000 }, (_, n) => event(n)).join('\n');
    const script = `"$0" "$1" seal --config "$2" --out - | head -c 100 > /dev/null; echo "\${PIPESTATUS[0]}"`;
    const { stdout } = spawnSync('bash', ['-c', script, process.execPath, MAIN, config], {
      input: many,
      encoding: 'utf8',
    });
    expect(stdout).toBe('141\n');
  });

  test('a signal in between leaves no file', async () => {
    const out = join(dir, 'stopped');
    const running = start(['seal', '--config', config, '--out', out]);
    for (let n = 0; n < 2000; n += 1) running.child.stdin.write(`${event(n)}\n`);
    await new Promise((drained) => running.child.stdin.write(`${event(2000)}\n`, drained));
    running.kill('SIGTERM');
    running.child.stdin.end(`${event(2001)}\n`);
    const { code } = await running.ended;
    expect(code).toBe(4);
    expect(readdirSync(out)).toEqual([]);
  });
});

describe('open', () => {
  let sealed: { topic: string; value: string }[];
  beforeAll(async () => {
    sealed = lines((await seal([event(0), event(1)].join('\n'), '--out', '-')).stdout);
  });
  const of = (topic: string) =>
    sealed.filter((line) => line.topic === topic).map(({ value }) => JSON.parse(value));

  test('lines that do not open go to standard error as number and code, the others come out', async () => {
    const [first, second] = of('identity.payroll');
    const moved = { ...second, sealed: first.sealed };
    const foreign = of('identity.siem')[0];
    const changed = { ...first, type: 'other' };
    const input = [first, moved, foreign, changed, { id: 'x' }, second].map((o) => JSON.stringify(o));
    const { code, stdout, stderr } = await open('payroll', [...input, `{"${SECRET}`].join('\n'));
    expect(code).toBe(1);
    expect(stderr).toBe(
      'line 2: open.failed\nline 3: open.failed\nline 4: open.failed\nline 5: open.notSealed\nline 7: event.notJson\n',
    );
    expect(lines(stdout).map(({ id }) => id)).toEqual(['e0', 'e1']);
  });

  test('another issuer, another place', async () => {
    const input = of('identity.payroll')
      .map((o) => `${JSON.stringify(o)}\n`)
      .join('');
    expect((await open('payroll', input, '--issuer', 'https://idp.example/events')).code).toBe(0);
    expect((await open('payroll', input, '--issuer', 'https://other.example')).code).toBe(1);
    expect((await open('payroll', input, '--sealed', '/elsewhere')).stderr).toBe(
      'line 1: open.notSealed\nline 2: open.notSealed\n',
    );
    expect((await open('payroll', input, '--sealed', 'sealed')).code).toBe(2);
  });

  test('a public key set, a file that is none', async () => {
    const args = ['--audience', 'payroll', '--id', '/source,/id'];
    const publicSet = await claimseal(['open', '--keys', join(dir, 'keys/payroll.jwks.json'), ...args]);
    expect([publicSet.code, publicSet.stderr]).toEqual([4, expect.stringContaining('keys.none')]);
    const none = await claimseal(['open', '--keys', join(dir, 'nothing'), ...args]);
    expect([none.code, none.stderr]).toEqual([4, expect.stringContaining('keys.unreadable')]);
  });
});

test('a new content key for every event, whenever garbage is collected: Node 20 locks itself out of its own keys', () => {
  const config = join(dir, 'reuse-off.yaml');
  writeFileSync(
    config,
    POLICY.replaceAll('jwks.json }, topic', 'jwks.json }, reuse: off, topic').replace(
      'reuse: off, topic: identity.quarantine',
      'topic: identity.quarantine',
    ),
  );
  const events = Array.from({ length: 2000 }, (_, n) => event(n)).join('\n');
  const often = ['--gc-global', '--max-semi-space-size=1'];
  const { status, stdout } = spawnSync(
    process.execPath,
    [...often, MAIN, 'seal', '--config', config, '--out', '-'],
    { input: events, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 60_000, killSignal: 'SIGKILL' },
  );
  expect(status).toBe(0);
  expect(stdout.split('\n')).toHaveLength(3 * 2000 + 1);
}, 70_000);
