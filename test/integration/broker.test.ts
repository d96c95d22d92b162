/** The broker the other tests stand on: it stops and goes on, refuses a wrong password, and Java reads it as it is. */
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { canStartBroker, requireBroker } from '../support/broker.ts';
import { until } from '../support/built.ts';
import { produceJava, readAll } from '../support/java.ts';
import { sharedBroker, USER } from '../support/shared.ts';

const { brokers, secured } = sharedBroker();

const client = (config: Partial<KafkaConfig>) =>
  new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 0 }, ...config });

async function withAdmin<T>(
  kafka: Kafka,
  use: (admin: ReturnType<Kafka['admin']>) => Promise<T>,
): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

let serial = 0;
async function newTopic(addresses = brokers, numPartitions = 2): Promise<string> {
  const topic = `broker-${process.pid}-${Date.now().toString(36)}-${serial++}`;
  const kafka = client({ brokers: [...addresses], retry: { retries: 5 } });
  await withAdmin(kafka, (admin) =>
    admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true }),
  );
  return topic;
}

const messages = (label: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    partition: i % 2,
    key: Buffer.from(`${label}-${i}`),
    value: Buffer.from(`${label} ${i} `.repeat(40)),
  }));
const keysOf = (records: Awaited<ReturnType<typeof readAll>>) =>
  records.map(({ key }) => Buffer.from(key!, 'base64').toString()).sort();
const expectedKeys = (...batches: readonly ReturnType<typeof messages>[]) =>
  batches
    .flat()
    .map(({ key }) => key.toString())
    .sort();

describe.skipIf(secured === undefined)('SASL_SSL', () => {
  const login = (password: string) =>
    client({
      brokers: [...secured!.brokers],
      ssl: { ca: secured!.ca },
      sasl: { mechanism: 'scram-sha-256', username: USER.username, password },
    });

  test('the right password is let in', async () => {
    const topic = await newTopic();
    expect(await withAdmin(login(USER.password), (admin) => admin.listTopics())).toContain(topic);
  });

  test('a wrong password is refused', async () => {
    await expect(withAdmin(login(`${USER.password}!`), (admin) => admin.listTopics())).rejects.toMatchObject({
      name: 'KafkaJSSASLAuthenticationError',
    });
  });
});

describe('Java', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'reads back what it produced, %s',
    async (compression) => {
      const topic = await newTopic();
      const sent = messages(compression, 60);
      await produceJava(brokers, topic, sent, { compression });
      const records = await readAll(brokers, topic);
      expect(keysOf(records)).toEqual(expectedKeys(sent));
      const values = new Map(records.map(({ key, value }) => [key, value]));
      for (const { key, value } of sent)
        expect(values.get(key.toString('base64'))).toBe(value.toString('base64'));
      for (const partition of [0, 1]) {
        const offsets = records.filter((r) => r.partition === partition).map((r) => r.offset);
        expect(offsets).toEqual([...Array(30).keys()]);
      }
    },
  );

  test('keys and values that are null or empty stay what they are', async () => {
    const topic = await newTopic();
    await produceJava(brokers, topic, [
      { partition: 1, key: null, value: Buffer.alloc(0) },
      { partition: 1, key: Buffer.alloc(0), value: null },
    ]);
    const records = await readAll(brokers, topic);
    expect(records.map(({ key, value }) => [key, value])).toEqual([
      [null, ''],
      ['', null],
    ]);
    expect(records.every(({ timestamp }) => Math.abs(Date.now() - Number(timestamp)) < 600_000)).toBe(true);
  });

  test('sees an aborted transaction only uncommitted', async () => {
    const topic = await newTopic();
    const [kept, aborted] = [messages('kept', 20), messages('aborted', 20)];
    await produceJava(brokers, topic, aborted, { end: 'abort' });
    await produceJava(brokers, topic, kept, { end: 'commit' });
    expect(keysOf(await readAll(brokers, topic))).toEqual(expectedKeys(kept));
    expect(keysOf(await readAll(brokers, topic, { isolation: 'read_uncommitted' }))).toEqual(
      expectedKeys(kept, aborted),
    );
  });

  test('reads headers that kafkajs wrote', async () => {
    const topic = await newTopic();
    const producer = client({ retry: { retries: 5 } }).producer();
    await producer.connect();
    try {
      const headers = { 'claimseal-source': 'a/0/1', blob: Buffer.from([0, 255]) };
      await producer.send({ topic, messages: [{ partition: 0, key: null, value: 'v', headers }] });
    } finally {
      await producer.disconnect();
    }
    const [record, ...more] = await readAll(brokers, topic, { values: false });
    expect(more).toEqual([]);
    expect(record!.value).toBeNull();
    expect(record!.headers).toEqual([
      ['claimseal-source', Buffer.from('a/0/1').toString('base64')],
      ['blob', 'AP8='],
    ]);
  });
});

describe.skipIf(!(await canStartBroker()))('a broker of its own', () => {
  test('stands still, goes on, and keeps its data over a restart', async () => {
    const own = await requireBroker({ listeners: [{ name: 'EXTRA' }] });
    try {
      const topic = await newTopic(own.brokers);
      const sent = messages('kept', 10);
      await produceJava(own.brokers, topic, sent);
      const quick = { requestTimeout: 1000, connectionTimeout: 1000, enforceRequestTimeout: true };
      const list = (address: string) =>
        withAdmin(client({ brokers: [address], ...quick }), (admin) => admin.listTopics());
      const listed = (address: string) => list(address).catch((): string[] => []);
      expect(await list(own.listeners['EXTRA']!)).toContain(topic);

      await own.pause();
      await expect(list(own.brokers[0]!)).rejects.toThrow();
      await own.resume();
      await until('it answers again', async () => (await listed(own.brokers[0]!)).includes(topic));

      await own.restart();
      await until('it is back', async () => (await listed(own.brokers[0]!)).includes(topic), 20_000);
      expect(keysOf(await readAll(own.brokers, topic))).toEqual(expectedKeys(sent));
    } finally {
      await own.stop();
    }
  }, 90_000);
});
