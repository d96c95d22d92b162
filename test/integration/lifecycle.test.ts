/** From start to stop, and keys that change in between. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compactDecrypt, importJWK } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { generateKeySet } from '../../src/seal/index.ts';
import { until } from '../support/built.ts';
import { type Deployment, type DeploymentOptions, deploy, READERS } from '../support/deployment.ts';
import { readAll } from '../support/java.ts';
import { freePort } from '../support/ports.ts';
import { sharedBroker } from '../support/shared.ts';

const { brokers } = sharedBroker();
let d: Deployment;
afterEach(() => d?.close());

const deployed = async (options: Partial<DeploymentOptions> = {}) => {
  d = await deploy({ brokers, ...options });
  return d;
};
const count = async (name: (typeof READERS)[number]) =>
  (await readAll(brokers, d.topics[name], { values: false })).length;

test.each(['exactly-once', 'at-least-once'] as const)(
  '%s: SIGTERM under load drains, commits and exits 0 within 10 s',
  async (delivery) => {
    await deployed({ delivery });
    let over = false;
    let produced = 0;
    const feed = until(
      'the feed to end',
      async () => {
        await d.produce(1000, { from: produced, size: 500 });
        produced += 1000;
        return over;
      },
      60_000,
    );
    const running = d.start();
    await until('the first commits', async () => (await d.committed()).some((offset) => offset > 0), 20_000);
    const began = Date.now();
    running.kill('SIGTERM');
    const { code, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
    expect(Date.now() - began).toBeLessThan(10_000);
    over = true;
    await feed;
    const committed = (await d.committed()).reduce((sum, offset) => sum + Math.max(0, offset), 0);
    expect(committed).toBeLessThan(produced);
    for (const name of READERS) expect(await count(name)).toBe(committed);
  },
  60_000,
);

test('--until-end ends at what was there at its start, also with empty and aborted ends', async () => {
  await deployed();
  await d.produce(30, { partition: 1 });
  const producer = d.kafka.producer({
    transactionalId: `${d.groupId}-aborts`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({
    topic: d.topics.source,
    messages: [{ key: 'k', value: '{"not":"committed"}', partition: 1 }],
  });
  await transaction.abort();
  await producer.disconnect();
  const { code, stdout } = await d.start(['--until-end']).ended;
  expect(code, stdout).toBe(0);
  expect(await count('payroll')).toBe(30);
  // 30 records, the aborted one, its control record: no lag stays behind
  expect((await d.committed())[1]).toBe(32);
}, 60_000);

test('start: latest begins behind what is there, once', async () => {
  await deployed({ kafka: { start: 'latest' } });
  await d.produce(40);
  const running = d.start();
  await until('its positions', async () => (await d.committed()).every((offset) => offset === 10), 20_000);
  await d.produce(8, { from: 40 });
  await d.drained(20_000);
  running.kill('SIGTERM');
  expect((await running.ended).code).toBe(0);
  await d.produce(4, { from: 48 });
  expect((await d.start(['--until-end']).ended).code).toBe(0);
  expect(await count('siem')).toBe(12);
}, 60_000);

test('probes and metrics', async () => {
  const port = await freePort();
  await deployed({ policy: { http: { port } } });
  await d.produce(40);
  const running = d.start();
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  await until('ready', async () => (await get('/readyz').catch(() => undefined))?.status === 200, 20_000);
  expect((await get('/livez')).status).toBe(200);
  await d.drained(20_000);
  let metrics = '';
  await until('40 events in the metrics', async () => {
    metrics = await (await get('/metrics')).text();
    return /^claimseal_events_total\{[^}]*\} 10$/m.test(metrics) || /^claimseal_events\w* 40$/m.test(metrics);
  });
  for (const name of [
    'sealed',
    'lag',
    'behind_seconds',
    'content_key_age',
    'recipient_key_age',
    'batch',
    'policy_info',
  ]) {
    expect(metrics).toMatch(new RegExp(`^claimseal_\\w*${name}`, 'm'));
  }
  running.kill('SIGTERM');
  expect((await running.ended).code).toBe(0);
}, 60_000);

describe('keys', () => {
  const quick = { refresh: '200ms', activateAfter: '1ms' };
  const file = () => join(d.dir, 'keys/payroll.jwks.json');
  /** As deployments do it: a new file takes the old one's place in one step. */
  const replace = (content: string) => {
    writeFileSync(`${file()}.new`, content);
    renameSync(`${file()}.new`, file());
  };
  const kids = async () =>
    (await readAll(brokers, d.topics.payroll))
      .map(({ value }) => JSON.parse(Buffer.from(value!, 'base64').toString()).sealed as string)
      .map((jwe) => JSON.parse(Buffer.from(jwe.split('.')[0]!, 'base64url').toString()).kid as string);
  const audiences = () => ({
    payroll: { keys: { file: 'keys/payroll.jwks.json', ...quick }, topic: d.topics.payroll },
    siem: { keys: { file: 'keys/siem.jwks.json', ...quick }, topic: d.topics.siem },
    partner: { keys: { file: 'keys/partner.jwks.json', ...quick }, topic: d.topics.partner },
    router: { keys: 'none', topic: d.topics.router },
  });

  test('a rotation is taken up without restart, logged by kid and thumbprint; a broken file changes nothing', async () => {
    await deployed({ partitions: 1 });
    d.configure({ policy: { audiences: audiences() } });
    const running = d.start();
    await d.produce(5);
    await d.drained(20_000);

    const next = generateKeySet({ kty: 'EC', kid: 'payroll-2' });
    replace(next.public!);
    await until('the new key in the log', () => running.stderr().includes('payroll-2'));
    await d.produce(5, { from: 5 });
    await d.drained(20_000);

    replace('{"keys": [');
    await until('the broken file in the log', () => running.stderr().includes('the last good one stays'));
    await d.produce(5, { from: 10 });
    await d.drained(20_000);
    expect(await kids()).toEqual([...Array(5).fill('payroll-1'), ...Array(10).fill('payroll-2')]);

    const last = JSON.parse(
      Buffer.from((await readAll(brokers, d.topics.payroll)).at(-1)!.value!, 'base64').toString(),
    );
    const [jwk] = JSON.parse(next.private).keys;
    await compactDecrypt(last.sealed, await importJWK(jwk, jwk.alg));

    running.kill('SIGTERM');
    const { code, stderr } = await running.ended;
    expect(code).toBe(0);
    const chosen = stderr.split('\n').filter((line) => line.includes('payroll-2') && /thumbprint/.test(line));
    expect(chosen.length).toBeGreaterThan(0);
  }, 60_000);

  test('a set without a fitting key is obeyed: the stream halts before the next batch', async () => {
    await deployed({ partitions: 1 });
    d.configure({ policy: { audiences: audiences() } });
    const running = d.start();
    await d.produce(5);
    await d.drained(20_000);
    replace('{"keys":[]}');
    await until('the key gone in the log', () => /gone|none/.test(running.stderr()));
    await d.produce(5, { from: 5 });
    const { code, stderr } = await running.ended;
    expect(stderr).toContain('claimseal: keys.none: ');
    expect(stderr).toContain('payroll');
    expect(code).toBe(4);
    expect(await d.committed()).toEqual([5]);
    for (const name of READERS) expect(await count(name)).toBe(5);
  }, 60_000);
});
