/**
 * Secrets are planted in good and bad events, as string, number, member name, record key and header, and searched
 * in everything that claimseal writes, in every form they could take.
 */
import { compactDecrypt, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start, until } from '../support/built.ts';
import { type Deployment, deploy, event, READERS } from '../support/deployment.ts';
import { type JavaRecord, readTopics } from '../support/java.ts';
import { freePort } from '../support/ports.ts';
import { leaks } from '../support/secrets.ts';
import { sharedBroker } from '../support/shared.ts';

const SECRETS = {
  string: 'tok3n-Gr&nd-Canal/4711',
  number: '90071992547409931234567',
  'member name': 'case-file-8842-x',
  'record key': 'subject-Ada-7313',
  header: 'bearer-eYq3-zz81',
  'header name': 'x-dossier-5531',
} as const;

const RECORD_SECRET = 'a-record-secret-of-32-characters';

/** A good event with all of them, unless `change` says otherwise. */
function planted(n: number, change: Record<string, unknown> = {}): string {
  const good = event(n) as { data: Record<string, unknown> };
  good.data['email'] = SECRETS.string;
  good.data['address'] = { [SECRETS['member name']]: { value: SECRETS.string } };
  return JSON.stringify({ ...good, ...change })
    .replace('"silver"', SECRETS.number)
    .replace('"gold"', SECRETS.number);
}

const text = planted(1);
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

/** What is wrong with a record, and the code it gets. */
const BAD: Readonly<Record<string, readonly [value: string | Buffer, code: string]>> = {
  'not JSON': [`${text.slice(0, -1)},`, 'event.notJson'],
  'two values': [`${text}{}`, 'event.notJson'],
  'no object': [JSON.stringify([SECRETS.string]), 'event.notObject'],
  'not UTF-8': [
    Buffer.concat([Buffer.from(text.slice(0, 40)), Buffer.from([0xff]), Buffer.from(text.slice(40))]),
    'event.notUtf8',
  ],
  'a duplicate member': [
    text.replace('"type":', `"time":"${SECRETS.string}","type":`),
    'event.duplicateMember',
  ],
  'too deep': [text.replace('"seq":1', `"seq":1,"deep":${nested(70)}`), 'event.tooDeep'],
  'too large': [planted(1, { filler: 'f'.repeat(200_000) }), 'event.tooLarge'],
  'a lone surrogate': [text.replace('user.updated', 'user.\\ud800'), 'event.loneSurrogate'],
  'a member called sealed': [planted(1, { sealed: SECRETS.string }), 'event.sealedMember'],
  'an unlisted member': [planted(1, { [SECRETS['member name']]: SECRETS.string }), 'event.unlisted'],
  'a __proto__ member': [
    text.replace('"seq":1', `"seq":1,"__proto__":{"x":"${SECRETS.string}"}`),
    'event.unlisted',
  ],
  'no id': [planted(1, { id: undefined }), 'event.id'],
  'an id that is no string': [planted(1, { id: { secret: SECRETS.string } }), 'event.id'],
  'a scalar where a claim passes through': [planted(1, { data: SECRETS.string }), 'event.shape'],
};

const { brokers } = sharedBroker();
let d: Deployment;
let metrics = '';
let ran: { code: number | null; stdout: string; stderr: string };
let read: Record<string, JavaRecord[]>;

beforeAll(async () => {
  const port = await freePort();
  d = await deploy({ brokers });
  d.configure({
    policy: {
      source: { topics: [d.topics.source], format: 'json', id: ['/source', '/id'], maxBytes: 100_000 },
      record: { key: 'hmac', secret: '${RECORD_SECRET}', headers: ['traceparent'], source: 'hmac' },
      http: { port },
    },
  });
  const message = (value: string | Buffer) => ({
    key: SECRETS['record key'],
    value,
    partition: 0,
    headers: { authorization: SECRETS.header, [SECRETS['header name']]: 'x' },
  });
  await d.send(Array.from({ length: 20 }, (_, n) => message(planted(n))));
  await d.send(Object.values(BAD).map(([value]) => message(value)));
  await d.send([{ ...message(''), value: null }]);

  const running = start(['--debug', 'run', '--config', d.config], {
    env: { RECORD_SECRET },
  });
  await d.drained(30_000);
  await until('the last batch in the metrics', async () => {
    metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return metrics.includes('code="event.shape"');
  });
  running.kill('SIGTERM');
  ran = await running.ended;
  read = await readTopics(brokers, d.topics);
}, 120_000);
afterAll(() => d?.close());

const bytes = (list: readonly JavaRecord[]) =>
  Buffer.concat(
    list.flatMap((r) => [
      ...[r.key, r.value].map((field) => Buffer.from(field ?? '', 'base64')),
      ...r.headers.flatMap(([name, value]) => [Buffer.from(`|${name}=`), Buffer.from(value ?? '', 'base64')]),
      Buffer.from('\n'),
    ]),
  );

test('the search finds every secret in the source topic', () => {
  const found = leaks(SECRETS, { source: bytes(read['source']!) });
  for (const name of Object.keys(SECRETS)) expect(found).toContain(`source: ${name}, as such`);
});

test('no secret stands in any output, quarantine, log or metric', () => {
  expect(ran.code, ran.stdout).toBe(0);
  const topics = [...READERS, 'router', 'quarantine'].map((name) => [name, bytes(read[name]!)] as const);
  for (const [name, content] of topics) expect(content.length, name).toBeGreaterThan(1000);
  expect(metrics).toContain('claimseal_');
  const places = { ...Object.fromEntries(topics), stdout: ran.stdout, stderr: ran.stderr, metrics };
  expect(leaks(SECRETS, places)).toEqual([]);
  const own = { 'secret of the record keys': RECORD_SECRET };
  expect(leaks(own, places)).toEqual([]);
});

test('good events reached every audience', () => {
  for (const name of [...READERS, 'router']) {
    expect(read[name]!.filter(({ value }) => value !== null)).toHaveLength(20);
  }
});

describe('quarantine', () => {
  test.each(Object.keys(BAD).map((name, i) => [name, i] as const))(
    'holds %s, whole and sealed',
    async (name, i) => {
      const original = read['source']!.find(({ offset }) => Number(offset) === 20 + i)!;
      const quarantined = read['quarantine']![i]!;
      const code = BAD[name]![1];
      const headers = Object.fromEntries(
        quarantined.headers.map(([n, v]) => [n, Buffer.from(v!, 'base64').toString()]),
      );
      expect(headers['claimseal-code']).toBe(code);
      expect(quarantined.key).toBeNull();

      const [jwk] = JSON.parse(d.privateKeys['quarantine']!).keys;
      const jwe = Buffer.from(quarantined.value!, 'base64').toString();
      const { plaintext, protectedHeader } = await compactDecrypt(jwe, await importJWK(jwk, jwk.alg));
      const { topic, partition, offset } = { topic: d.topics.source, partition: 0, offset: 20 + i };
      expect(protectedHeader).toMatchObject({
        typ: 'claimseal-quarantine+jwe',
        aud: 'quarantine',
        evt: [topic, partition, offset],
      });
      expect(JSON.parse(new TextDecoder().decode(plaintext))).toEqual({
        topic,
        partition,
        offset: String(offset),
        timestamp: original.timestamp,
        key: original.key,
        value: original.value,
        headers: original.headers,
        code,
        reason: expect.stringMatching(/./),
      });
    },
  );

  test('is counted by code', () => {
    for (const code of new Set(Object.values(BAD).map(([, c]) => c))) {
      const count = Object.values(BAD).filter(([, c]) => c === code).length;
      expect(metrics).toMatch(
        new RegExp(
          `^claimseal_\\w*quarantined\\w*\\{.*code="${code.replace('.', '\\.')}".*\\} ${count}$`,
          'm',
        ),
      );
    }
  });
});

test('the number that no double holds is exact where it may be read', async () => {
  const [jwk] = JSON.parse(d.privateKeys['partner']!).keys;
  const envelope = JSON.parse(Buffer.from(read['partner']![0]!.value!, 'base64').toString());
  const { plaintext } = await compactDecrypt(envelope.sealed, await importJWK(jwk, jwk.alg));
  expect(new TextDecoder().decode(plaintext)).toContain(`"plan":${SECRETS.number}`);
});
