/** `claimseal run` on a broker: what comes out where, and who can open it. Judged by jose and Java's consumer. */
import { compactDecrypt, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEventOpener } from '../../src/index.ts';
import { claimseal } from '../support/built.ts';
import { type Deployment, deploy, event, READERS, type Reader } from '../support/deployment.ts';
import { type JavaRecord, readAll, readTopics } from '../support/java.ts';
import { sharedBroker } from '../support/shared.ts';

const EVENTS = 240;
const TOMBSTONE_KEY = 'user-gone';
const CLEAR = ['specversion', 'id', 'source', 'type', 'time', 'seq'];

const { brokers } = sharedBroker();
let d: Deployment;
let records: Record<Reader | 'router' | 'quarantine' | 'source', JavaRecord[]>;

const text = (base64: string | null) => Buffer.from(base64!, 'base64').toString();
const json = (record: JavaRecord) => JSON.parse(text(record.value));
const header = (record: JavaRecord, name: string) => text(record.headers.find(([n]) => n === name)![1]);

/** What the policy of the deployment grants, said once more by hand. */
function expectedView(reader: Reader, n: number): unknown {
  const whole = event(n) as { data: Record<string, unknown> };
  const granted = {
    payroll: ['subject', 'email', 'address', 'roles'],
    siem: ['subject', 'roles'],
    partner: ['plan'],
  }[reader];
  const pick = (from: Record<string, unknown>, names: readonly string[]) =>
    Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
  return { ...pick(whole, CLEAR), data: pick(whole.data, granted) };
}

beforeAll(async () => {
  d = await deploy({ brokers, policy: { record: { key: 'pass', headers: ['traceparent'] } } });
  await d.produce(EVENTS);
  await d.send([{ key: TOMBSTONE_KEY, value: null, partition: 2, headers: { other: 'dropped' } }]);
  const { code, stdout, stderr } = await d.start(['--until-end']).ended;
  expect(code, stdout + stderr).toBe(0);
  records = await readTopics(brokers, d.topics);
}, 120_000);
afterAll(() => d?.close());

test('nothing was quarantined, every audience got every event and the tombstone', () => {
  expect(records.quarantine).toEqual([]);
  for (const name of [...READERS, 'router'] as const) expect(records[name]).toHaveLength(EVENTS + 1);
});

test('partition, order, key and timestamp are the source’s', () => {
  const coordinates = (r: JavaRecord) => [r.partition, r.key, r.timestamp];
  const bySource = (list: readonly JavaRecord[]) =>
    [0, 1, 2, 3].map((p) => list.filter((r) => r.partition === p).map(coordinates));
  for (const name of [...READERS, 'router'] as const) {
    expect(bySource(records[name])).toEqual(bySource(records.source));
  }
});

test('headers are the listed one and ours', async () => {
  const { stdout } = await claimseal(['check', '--config', d.config, '--json']);
  const { digest } = JSON.parse(stdout);
  for (const name of [...READERS, 'router'] as const) {
    for (const record of records[name].filter(({ value }) => value !== null)) {
      expect(record.headers.map(([n]) => n).sort()).toEqual([
        'claimseal-policy',
        'claimseal-source',
        'content-type',
        'traceparent',
      ]);
      expect(header(record, 'claimseal-policy')).toBe(digest);
      expect(header(record, 'content-type')).toBe('application/json');
      expect(header(record, 'traceparent')).toBe(`00-${json(record).seq}`);
      const [topic, partition] = header(record, 'claimseal-source').split('/');
      expect([topic, Number(partition)]).toEqual([d.topics.source, record.partition]);
    }
  }
});

test('the tombstone went to every audience, without its header', () => {
  for (const name of [...READERS, 'router'] as const) {
    const tombstones = records[name].filter(({ value }) => value === null);
    expect(tombstones.map(({ key, partition }) => [text(key), partition])).toEqual([[TOMBSTONE_KEY, 2]]);
    expect(tombstones[0]!.headers.map(([n]) => n)).not.toContain('other');
  }
});

test('beside the JWE stand the clear members and nothing else', () => {
  for (const name of [...READERS, 'router'] as const) {
    for (const record of records[name].filter(({ value }) => value !== null)) {
      const { sealed, ...clear } = json(record);
      const whole = event(clear.seq);
      expect(clear).toEqual(Object.fromEntries(CLEAR.map((member) => [member, whole[member]])));
      expect(typeof sealed).toBe(name === 'router' ? 'undefined' : 'string');
    }
  }
});

describe.each(READERS)('the topic of %s', (owner) => {
  test.each(READERS)('opened with the key of %s', async (reader) => {
    const [jwk] = JSON.parse(d.privateKeys[reader]!).keys;
    const key = await importJWK(jwk, jwk.alg);
    for (const record of records[owner].filter(({ value }) => value !== null)) {
      const { sealed, seq, id, source } = json(record);
      const opening = compactDecrypt(sealed, key);
      if (reader !== owner) {
        await expect(opening).rejects.toThrow();
        continue;
      }
      const { plaintext, protectedHeader } = await opening;
      expect(JSON.parse(new TextDecoder().decode(plaintext))).toEqual(expectedView(owner, seq));
      expect(plaintext.length % 64).toBe(0);
      expect(protectedHeader).toMatchObject({
        typ: 'claimseal-view+jwe',
        cty: 'json',
        iss: 'https://idp.example/events',
        aud: owner,
        kid: `${owner}-1`,
        evt: [source, id],
        enc: owner === 'siem' ? 'A128GCM' : 'A256GCM',
      });
    }
  });
});

describe('our opener refuses', () => {
  const openerOf = (reader: Reader) =>
    createEventOpener({
      audience: reader,
      id: ['/source', '/id'],
      keys: Buffer.from(d.privateKeys[reader]!),
    });
  const value = (o: unknown) => ({ value: Buffer.from(JSON.stringify(o)) });
  const two = (reader: Reader) =>
    records[reader]
      .filter((r) => r.value !== null)
      .slice(0, 2)
      .map(json);

  test('nothing that is in its place', () => {
    for (const reader of READERS) {
      const opener = openerOf(reader);
      for (const event of two(reader)) {
        expect(JSON.parse(opener.open(value(event)).toString())).toEqual(expectedView(reader, event.seq));
      }
    }
  });

  test('a JWE beside another event', () => {
    const [first, second] = two('payroll');
    expect(() => openerOf('payroll').open(value({ ...second, sealed: first.sealed }))).toThrow(
      expect.objectContaining({ code: 'open.failed' }),
    );
  });

  test('a JWE on another audience’s topic, even with that audience’s key at hand', () => {
    const [ofPayroll] = two('payroll');
    const keys = Buffer.from(d.privateKeys['payroll']!);
    const asSiem = createEventOpener({ audience: 'siem', id: ['/source', '/id'], keys });
    expect(() => asSiem.open(value(ofPayroll))).toThrow(expect.objectContaining({ code: 'open.failed' }));
    expect(() => openerOf('siem').open(value(ofPayroll))).toThrow(
      expect.objectContaining({ code: 'open.failed' }),
    );
  });

  test.each([
    ['a changed member', { type: 'user.deleted' }],
    ['a changed id', { id: 'evt-other' }],
    ['a member more', { added: true }],
    ['an id less', { id: undefined }],
  ])('%s of the clear part', (_name, change) => {
    const [first] = two('payroll');
    expect(() => openerOf('payroll').open(value({ ...first, ...change }))).toThrow(
      expect.objectContaining({ code: 'open.failed' }),
    );
  });
});

test('a clear member that was taken away harms nobody: the view is whole', () => {
  const record = records.payroll.find(({ value }) => value !== null)!;
  const { time: _, ...less } = json(record);
  const keys = Buffer.from(d.privateKeys['payroll']!);
  const opener = createEventOpener({ audience: 'payroll', id: ['/source', '/id'], keys });
  const view = opener.open({ value: Buffer.from(JSON.stringify(less)) });
  expect(JSON.parse(view.toString())).toEqual(expectedView('payroll', less.seq));
});

test('--audience runs a subset in a group of its own', async () => {
  const subset = await deploy({ brokers });
  try {
    await subset.produce(40);
    const { code, stdout } = await subset.start(['--until-end', '--audience', 'siem,router']).ended;
    expect(code, stdout).toBe(0);
    await subset.drained(10_000, `${subset.groupId}.router.siem`);
    expect(await readAll(brokers, subset.topics.siem, { values: false })).toHaveLength(40);
    expect(await readAll(brokers, subset.topics.router, { values: false })).toHaveLength(40);
    expect(await readAll(brokers, subset.topics.payroll, { values: false })).toEqual([]);

    const whole = await subset.start(['--until-end']).ended;
    expect(whole.code, whole.stdout).toBe(0);
    expect(await readAll(brokers, subset.topics.payroll, { values: false })).toHaveLength(40);
  } finally {
    await subset.close();
  }
}, 60_000);
