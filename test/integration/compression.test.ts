/** Source topics as a Java producer compresses them, with an aborted transaction in between. */
import { CompressionTypes } from 'kafkajs';
import { afterEach, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { type Deployment, deploy, event } from '../support/deployment.ts';
import { produceJava, readTopics } from '../support/java.ts';
import { sharedBroker } from '../support/shared.ts';

const { brokers } = sharedBroker();
let d: Deployment;
afterEach(() => d?.close());

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s', async (compression) => {
  d = await deploy({ brokers });
  const messages = (from: number, count: number, change = {}) =>
    Array.from({ length: count }, (_, i) => ({
      partition: i % 4,
      key: Buffer.from(`k${i}`),
      value: Buffer.from(JSON.stringify({ ...event(from + i, 300), ...change })),
    }));
  await produceJava(brokers, d.topics.source, messages(0, 400), { compression });
  await produceJava(brokers, d.topics.source, messages(400, 40, { nobody: 'reads this' }), {
    compression,
    end: 'abort',
  });
  await produceJava(brokers, d.topics.source, messages(440, 200), { compression, end: 'commit' });

  const { code, stderr } = await d.start(['--until-end']).ended;
  expect(code, stderr).toBe(0);
  const { quarantine, source: _, ...outputs } = await readTopics(brokers, d.topics);
  expect(quarantine).toEqual([]);
  const expected = [...Array(400).keys(), ...Array.from({ length: 200 }, (_, i) => 440 + i)];
  for (const records of Object.values(outputs)) {
    const seen = records.map(
      ({ value }) => JSON.parse(Buffer.from(value!, 'base64').toString()).seq as number,
    );
    expect(seen.sort((a, b) => a - b)).toEqual(expected);
  }
  // nothing stays behind as lag: control records and aborted ones are passed
  const ends = await d.admin.fetchTopicOffsets(d.topics.source);
  const committed = await d.committed();
  for (const { partition, high } of ends) expect(committed[partition]).toBe(Number(high));
});

test('a small batch that would fill the memory halts, with nothing committed that is not delivered', async () => {
  d = await deploy({ brokers, partitions: 1 });
  await d.produce(10);
  const producer = d.kafka.producer();
  await producer.connect();
  await producer.send({
    topic: d.topics.source,
    compression: CompressionTypes.GZIP,
    messages: [{ key: 'k', value: 'x'.repeat(70_000_000), partition: 0 }],
  });
  await producer.disconnect();
  const { code, stderr } = await d.start(['--until-end']).ended;
  expect(stderr).toContain('claimseal: kafka.compression: ');
  expect(stderr).toMatch(/^ {2}remedy: \S/m);
  expect(code).toBe(EXIT.halted);
  const { source: _, quarantine: __, ...outputs } = await readTopics(brokers, d.topics, { values: false });
  const [committed] = await d.committed();
  for (const records of Object.values(outputs)) expect(records).toHaveLength(Math.max(0, committed!));
});
