// The judge: knows jose, where the outputs are and each audience's private key. Nothing of claimseal.
// usage: judge.mjs kafka BROKER JUDGE.json | judge.mjs files DIR JUDGE.json
//   JUDGE.json: { topics: audience -> topic, keys: audience -> private JWK Set, stride }
// Prints what stands in clear, what each audience's key opens on each topic, and which claims it then reads.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compactDecrypt, importJWK } from 'jose';
import { Kafka, logLevel } from 'kafkajs';

const [kind, where, file] = process.argv.slice(2);
const { topics, keys: keySets, stride } = JSON.parse(readFileSync(file, 'utf8'));
const algorithms = {
  keyManagementAlgorithms: ['ECDH-ES+A256KW', 'RSA-OAEP-256'],
  contentEncryptionAlgorithms: ['A256GCM', 'A128GCM'],
};

function readFile(topic) {
  const text = readFileSync(join(where, `${topic}.ndjson`), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).value]));
}

async function readTopic(topic) {
  const kafka = new Kafka({ brokers: [where], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map((p) => [p.partition, Number(p.high)]));
  await admin.disconnect();
  const values = [];
  const consumer = kafka.consumer({ groupId: `judge-of-${topic}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((done, fail) => {
    const finish = () => [...ends.values()].every((left) => left <= 0) && done();
    // Also fetches that hold nothing but a transaction's control record come by here.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
      if (Number(lastOffset) + 1 >= ends.get(partition)) ends.set(partition, 0);
      finish();
    });
    const eachBatch = async ({ batch }) => {
      for (const { value } of batch.messages) values.push(value.toString());
    };
    consumer.run({ autoCommit: false, eachBatch }).catch(fail);
    finish();
  });
  await consumer.disconnect();
  return values;
}

/** Pointers of the values that are no containers; items of an array as `*`. */
function addPointers(value, path, into) {
  if (value === null || typeof value !== 'object') into.add(path);
  else if (Array.isArray(value)) for (const item of value) addPointers(item, `${path}/*`, into);
  else for (const [name, member] of Object.entries(value)) addPointers(member, `${path}/${name}`, into);
}

/** The view, if the key opens the JWE and the JWE belongs to this event and this audience. */
async function open(event, audience, key) {
  const { plaintext, protectedHeader } = await compactDecrypt(event.sealed, key, algorithms);
  const view = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plaintext));
  const { aud, typ, evt } = protectedHeader;
  const id = JSON.stringify([event.source, event.id]);
  const bound = [JSON.stringify(evt), JSON.stringify([view.source, view.id])].every((other) => other === id);
  if (aud !== audience || typ !== 'claimseal-view+jwe' || !bound) throw new Error('bound to something else');
  return view;
}

const keys = [];
for (const [name, { keys: set }] of Object.entries(keySets)) {
  keys.push([name, await importJWK(set[0], set[0].alg)]);
}
const result = { records: 0, topics: {}, reads: {}, sample: '', sampleOpened: '' };
for (const [owner, topic] of Object.entries(topics)) {
  const values = await (kind === 'files' ? readFile(topic) : readTopic(topic));
  const events = values.map((value) => JSON.parse(value));
  const clear = new Set();
  for (const { sealed: _, ...rest } of events) addPointers(rest, '', clear);
  const found = { records: events.length, clear: [...clear], opened: {} };
  result.records += events.length;
  result.topics[owner] = found;
  for (const [name, key] of keys) {
    if (events[0]?.sealed === undefined) continue;
    // Others' keys get a smaller sample: each attempt fails for the same reason.
    const step = name === owner ? stride : stride * 10;
    const attempts = events.filter((_, i) => i % step === 0);
    const opened = await Promise.all(attempts.map((event) => open(event, name, key).catch(() => undefined)));
    found.opened[name] = {
      tried: attempts.length,
      opened: opened.filter((view) => view !== undefined).length,
    };
    if (name !== owner) continue;
    const reads = {};
    for (const view of opened) {
      if (view === undefined) continue;
      reads[view.type] ??= new Set();
      addPointers(view, '', reads[view.type]);
    }
    result.reads[name] = Object.fromEntries(Object.entries(reads).map(([type, set]) => [type, [...set]]));
    if (result.sample === '' && opened[0] !== undefined) {
      result.sample = values[0];
      result.sampleOpened = JSON.stringify(opened[0]);
    }
  }
}
process.stdout.write(JSON.stringify(result));
