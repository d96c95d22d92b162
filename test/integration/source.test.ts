/** What a source topic may hold that kafkajs stumbles over: odd headers, odd clocks, batches that compaction emptied. */
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/built.ts';
import { type Deployment, deploy, event } from '../support/deployment.ts';
import { readTopics } from '../support/java.ts';
import { sharedBroker } from '../support/shared.ts';

const { brokers } = sharedBroker();
let d: Deployment;
afterEach(() => d.close());

const toEnd = async () => {
  const ran = await d.start(['--until-end']).ended;
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
};
const read = () => {
  const { source, payroll, quarantine } = d.topics;
  return readTopics(brokers, { source, payroll, quarantine }, { values: false });
};
const message = (n: number, more: object = {}) => ({
  ...{ key: `k${n}`, partition: 0, value: JSON.stringify(event(n)) },
  ...more,
});

test('headers with any name, a clock that is two hours ahead', async () => {
  d = await deploy({
    ...{ brokers, partitions: 1 },
    topicConfig: { source: { 'message.timestamp.after.max.ms': '86400000' } },
    policy: { record: { key: 'pass', headers: ['constructor', '__proto__', '7', 'trace'] } },
  });
  const odd = ['constructor', '7', 'trace', 'toString'].map((name) => [name, name] as const);
  const headers = Object.fromEntries(odd);
  Object.defineProperty(headers, '__proto__', { value: 'own', enumerable: true });
  await d.send([
    message(0, { headers }),
    message(1, { timestamp: String(Date.now() + 2 * 3_600_000) }),
    message(2),
  ]);
  await toEnd();
  const { payroll, quarantine } = await read();
  expect(payroll.map(({ offset }) => offset)).toHaveLength(2);
  const passed = payroll[0]!.headers.map(([name]) => name);
  for (const name of ['constructor', '7', 'trace']) expect(passed).toContain(name);
  expect(passed).not.toContain('toString');
  expect(quarantine).toHaveLength(1);
  const codes = quarantine[0]!.headers.filter(([name]) => name === 'claimseal-code');
  expect(codes.map(([, value]) => Buffer.from(value!, 'base64').toString())).toEqual(['output.timestamp']);
});

test('record batches that compaction emptied are passed over', async () => {
  const compact = {
    ...{ 'cleanup.policy': 'compact', 'segment.bytes': '1048576', 'min.cleanable.dirty.ratio': '0.01' },
    ...{ 'delete.retention.ms': '0', 'min.compaction.lag.ms': '0', 'file.delete.delay.ms': '100' },
  };
  d = await deploy({ brokers, partitions: 1, topicConfig: { source: compact } });
  let n = 0;
  // The last batch of an idempotent producer stays when its records are gone, for its sequence number.
  const writer = async (sizes: readonly number[]) => {
    const producer = d.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
    });
    await producer.connect();
    for (const size of sizes) {
      const key = size === 0 ? 'again' : `u${n}`;
      const messages = [{ key, partition: 0, value: JSON.stringify(event(n, size)) }];
      await producer.send({ topic: d.topics.source, messages });
      n += 1;
    }
    await producer.disconnect();
  };
  await writer([...Array<number>(7).fill(100_000), 0]); // a segment, offsets 0 to 7
  await writer([400_000, 300_000, 0]); // a segment, offsets 8 to 10
  await writer([400_000, 10_000]); // the active one
  await until(
    'the cleaner took the first "again"',
    async () => !(await read()).source.some(({ offset }) => Number(offset) === 7),
    60_000,
  );
  await toEnd();
  const { source, payroll } = await read();
  expect(payroll).toHaveLength(source.length);
  expect(await d.committed()).toEqual([13]);
}, 120_000);
