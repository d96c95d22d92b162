// The judge: knows jose, the topics and each audience's private key. Nothing of claimseal.
// usage: judge.mjs BROKER TOPICS.json KEYS.json STRIDE   (prints JSON: what each audience could open and read)
import { readFileSync } from 'node:fs';
import { compactDecrypt, importJWK } from 'jose';
import { Kafka, logLevel } from 'kafkajs';

const [broker, topicsFile, keysFile, stride] = process.argv.slice(2);
const topics = JSON.parse(readFileSync(topicsFile, 'utf8')); // audience -> topic
const keySets = JSON.parse(readFileSync(keysFile, 'utf8')); // audience -> private JWK Set
const keys = {};
for (const [
  name,
  {
    keys: [jwk],
  },
] of Object.entries(keySets))
  keys[name] = { jwk, key: await importJWK(jwk, jwk.alg) };

const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();

async function readAll(topic) {
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map((p) => [p.partition, Number(p.high)]));
  const records = [];
  const consumer = kafka.consumer({ groupId: `judge-${topic}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((done, fail) => {
    const check = () => [...ends.values()].every((left) => left <= 0) && done();
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (Number(payload.lastOffset) + 1 >= ends.get(payload.partition)) ends.set(payload.partition, 0);
      check();
    });
    consumer
      .run({ autoCommit: false, eachBatch: async ({ batch }) => void records.push(...batch.messages) })
      .catch(fail);
    check();
  });
  await consumer.disconnect();
  return records;
}

/** Leaf pointers of a value, array positions as `*`. */
function pointers(value, path = '', out = new Set()) {
  if (Array.isArray(value)) for (const item of value) pointers(item, `${path}/*`, out);
  else if (value !== null && typeof value === 'object')
    for (const [k, v] of Object.entries(value)) pointers(v, `${path}/${k}`, out);
  else out.add(path);
  return out;
}

const algs = {
  keyManagementAlgorithms: ['ECDH-ES+A256KW', 'RSA-OAEP-256'],
  contentEncryptionAlgorithms: ['A256GCM', 'A128GCM'],
};
const result = { topics: {}, reads: {} };
for (const [owner, topic] of Object.entries(topics)) {
  const records = await readAll(topic);
  const clear = new Set();
  const parsed = records.map(({ value }) => JSON.parse(value.toString()));
  for (const { sealed, ...rest } of parsed) pointers(rest, '', clear);
  result.topics[owner] = { records: records.length, clear: [...clear].sort(), opened: {} };
  if (parsed.length === 0 || parsed[0].sealed === undefined) continue;
  for (const [name, { key }] of Object.entries(keys)) {
    const own = name === owner;
    const step = own ? Number(stride) : Number(stride) * 10;
    let [tried, opened] = [0, 0];
    const read = new Set();
    for (let i = 0; i < parsed.length; i += step) {
      tried += 1;
      const event = parsed[i];
      try {
        const { plaintext, protectedHeader } = await compactDecrypt(event.sealed, key, algs);
        const view = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plaintext));
        const bound =
          protectedHeader.aud === name &&
          protectedHeader.typ === 'claimseal-view+jwe' &&
          JSON.stringify(protectedHeader.evt) === JSON.stringify([view.source, view.id]) &&
          view.id === event.id &&
          view.source === event.source;
        if (!bound) throw new Error('not bound to this event');
        opened += 1;
        pointers(view, '', read);
      } catch (error) {
        if (own) throw error;
      }
    }
    result.topics[owner].opened[name] = { tried, opened };
    if (own) result.reads[name] = [...read].sort();
  }
}
await admin.disconnect();
process.stdout.write(JSON.stringify(result));
