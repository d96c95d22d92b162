// Reads an audience's topic: node consume.mjs BROKERS TOPIC KEYS.jwks.json AUDIENCE
// kafkajs is not a faithful read_committed reader: it can hand out records of aborted transactions
// (see the limits in README.md). Where that matters, read with the Java client.
import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { open } from './open.mjs';

const [brokers, topic, keysFile, audience] = process.argv.slice(2);
const { keys } = JSON.parse(readFileSync(keysFile, 'utf8'));
const clientId = `${audience}-reader`;
const kafka = new Kafka({ clientId, brokers: brokers.split(','), logLevel: logLevel.WARN });
// `false` asks for isolation.level=read_committed
const consumer = kafka.consumer({ groupId: clientId, readUncommitted: false });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  eachMessage: async ({ partition, message }) => {
    if (message.value === null) return; // a tombstone
    try {
      console.log(await open(message.value.toString(), keys, audience));
    } catch {
      console.error(`${topic}/${partition}/${message.offset} refused`);
    }
  },
});
process.once('SIGTERM', () => consumer.disconnect());
