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

await consumer.connect();
await consumer.subscribe({ topic: source, fromBeginning: true });
let copied = 0;
await new Promise((done) => {
  consumer.run({
    autoCommit: !exactlyOnce,
    partitionsConsumedConcurrently: 8,
    eachBatch: async ({ batch }) => {
      const byTopic = new Map(to.map((topic) => [topic, []]));
      for (const { offset } of batch.messages) {
        for (const { topic, message } of outputs[batch.partition][offset]) {
          byTopic.get(topic).push({ ...message, partition: batch.partition });
        }
      }
      const topicMessages = [...byTopic].map(([topic, messages]) => ({ topic, messages }));
      const producer = await producerOf(batch.partition);
      if (exactlyOnce) {
        const transaction = await producer.transaction();
        await transaction.sendBatch({ topicMessages });
        const offset = String(Number(batch.lastOffset()) + 1);
        const topics = [{ topic: source, partitions: [{ partition: batch.partition, offset }] }];
        await transaction.sendOffsets({ consumerGroupId: group, topics });
        await transaction.commit();
      } else {
        await producer.sendBatch({ topicMessages });
      }
      copied += batch.messages.length;
      if (copied >= total) done();
    },
  });
});
await consumer.disconnect();
for (const producer of producers.values()) await producer.disconnect();
