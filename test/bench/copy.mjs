// The peer of the end-to-end benchmark: bare kafkajs that reads the same source topic and produces the same output
// bytes, sealed beforehand by somebody else. No policy, no JSON, no encryption.
// usage: copy.mjs OPTIONS.json   ("ready" on stdout once the outputs are in memory; starts at a line on stdin)
import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';

const { brokers, group, source, from, to, delivery, total } = JSON.parse(
  readFileSync(process.argv[2], 'utf8'),
);
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });

/** partition -> offset -> the messages that belong to that source record, with the topic each goes to */
const outputs = [];
for (const [index, topic] of from.entries()) {
  const consumer = kafka.consumer({ groupId: `${group}-load-${index}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let loaded = 0;
  await new Promise((done) => {
    const eachMessage = async ({ message: { key, value, headers, timestamp } }) => {
      const [, partition, offset] = headers['claimseal-source'].toString().split('/');
      outputs[partition] ??= [];
      outputs[partition][offset] ??= [];
      outputs[partition][offset].push({ topic: to[index], message: { key, value, headers, timestamp } });
      if (++loaded === total) done();
    };
    consumer.run({ autoCommit: false, eachMessage });
  });
  await consumer.disconnect();
}
process.stdout.write('ready\n');
await new Promise((go) => process.stdin.once('data', go));

const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 100 });
const exactlyOnce = delivery === 'exactly-once';
const producers = new Map();
async function producerOf(partition) {
  const known = producers.get(exactlyOnce ? partition : 0);
  if (known) return known;
  const producer = kafka.producer(
    exactlyOnce
      ? { transactionalId: `${group}-${partition}`, maxInFlightRequests: 1, idempotent: true }
      : { idempotent: true, maxInFlightRequests: 1 },
  );
  producers.set(exactlyOnce ? partition : 0, producer);
  await producer.connect();
  return producer;
}

/** The messages of a batch in as few sends as the broker's limit for one record batch allows. */
function* chunks({ partition, messages }) {
  let byTopic = new Map(to.map((topic) => [topic, []]));
  const bytes = new Map();
  const all = () => [...byTopic].map(([topic, list]) => ({ topic, messages: list }));
  for (const { offset } of messages) {
    for (const { topic, message } of outputs[partition][offset]) {
      byTopic.get(topic).push({ ...message, partition });
      bytes.set(topic, (bytes.get(topic) ?? 0) + message.value.length + 300);
    }
    if (Math.max(...bytes.values()) < 900_000) continue;
    yield all();
    byTopic = new Map(to.map((topic) => [topic, []]));
    bytes.clear();
  }
  if (bytes.size > 0) yield all();
}

consumer.on(consumer.events.CRASH, ({ payload }) => {
  process.stderr.write(`${payload.error.message}\n`);
  process.exit(1);
});
await consumer.connect();
await consumer.subscribe({ topic: source, fromBeginning: true });
let copied = 0;
await new Promise((done) => {
  consumer.run({
    autoCommit: !exactlyOnce,
    partitionsConsumedConcurrently: 8,
    eachBatch: async ({ batch }) => {
      const producer = await producerOf(batch.partition);
      const transaction = exactlyOnce ? await producer.transaction() : undefined;
      for (const topicMessages of chunks(batch)) await (transaction ?? producer).sendBatch({ topicMessages });
      if (transaction !== undefined) {
        const offset = String(Number(batch.lastOffset()) + 1);
        const topics = [{ topic: source, partitions: [{ partition: batch.partition, offset }] }];
        await transaction.sendOffsets({ consumerGroupId: group, topics });
        await transaction.commit();
      }
      copied += batch.messages.length;
      if (copied >= total) done();
    },
  });
});
await consumer.disconnect();
for (const producer of producers.values()) await producer.disconnect();
