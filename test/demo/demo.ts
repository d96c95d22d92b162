/**
 * `npm run demo`: a real broker, keys for three audiences, 20,000 events, `claimseal run` as a process of its own, and
 * a judge that knows only jose and each audience's private key. Exits 1 when what the judge could read differs from
 * what `claimseal explain` says. Without a broker it seals a file instead, and says why.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { type Broker, startBroker } from '../support/broker.ts';
import { MAIN } from '../support/built.ts';
import { compare, type Judgement, type Matrix, printMatrix } from './compare.ts';
import { demoEvent } from './events.ts';

const EVENTS = 20_000;
const PARTITIONS = 4;
const KTY = { payroll: 'EC', siem: 'RSA', partner: 'OKP', quarantine: 'EC' } as const;
const CONFIG = resolve(import.meta.dirname, '../../schemas/examples/quickstart.yaml');
const JUDGE = resolve(import.meta.dirname, 'judge.mjs');
/** Opening with the private key costs a hundred times what sealing costs: the judge opens every eighth. */
const STRIDE = 8;

process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';
const began = performance.now();
const say = (line = '') => process.stdout.write(`${line}\n`);
const dir = mkdtempSync(join(tmpdir(), 'claimseal-demo-'));
/** On a broker of somebody else's the demo's topics get a name of their own. */
const suffix = process.env['KAFKA_BROKERS'] === undefined ? '' : `-demo-${Date.now().toString(36)}`;
const env = (broker: string) => ({
  PATH: process.env['PATH'] ?? '',
  BROKER: broker,
  KEYS: join(dir, 'keys'),
  RUN: suffix,
  RECORD_SECRET: 'a demo secret of 32 characters..',
});

/** Runs a process to its end; its standard error, and so a progress bar, goes to the terminal. */
async function run(args: readonly string[], vars: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: vars });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  const code = await new Promise((done) => child.once('close', done));
  if (code !== 0) throw new Error(`${args.slice(0, 3).join(' ')} ended with ${code}\n${stdout.slice(-2000)}`);
  return stdout;
}

const step = (text: string) =>
  say(`\n[${((performance.now() - began) / 1000).toFixed(1).padStart(4)} s] ${text}`);

async function throughKafka(broker: Broker): Promise<{ source: string; judged: Judgement; seconds: number }> {
  const address = broker.brokers[0]!;
  const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING });
  const topics = ['events', 'payroll', 'siem', 'partner', 'routing', 'quarantine'];
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: topics.map((name) => ({
      topic: `identity.${name}${suffix}`,
      numPartitions: PARTITIONS,
      // A bad record grows by base64, twice.
      configEntries: name === 'quarantine' ? [{ name: 'max.message.bytes', value: '2000000' }] : [],
    })),
    waitForLeaders: true,
  });
  await admin.disconnect();

  step(`producing ${EVENTS.toLocaleString('en')} events to identity.events`);
  const producer = kafka.producer();
  await producer.connect();
  for (let from = 0; from < EVENTS; from += 2000) {
    const messages = Array.from({ length: 2000 }, (_, i) => ({
      ...demoEvent(from + i),
      partition: (from + i) % PARTITIONS,
    }));
    await producer.send({ topic: `identity.events${suffix}`, messages });
  }
  await producer.disconnect();

  step('claimseal run --until-end --progress, a process of its own');
  const started = performance.now();
  await run([MAIN, 'run', '--config', CONFIG, '--until-end', '--progress'], env(address));
  const seconds = (performance.now() - started) / 1000;

  step(`the judge: jose, and one audience's private key at a time (every ${STRIDE}th event)`);
  const judged = JSON.parse(await run([JUDGE, 'kafka', address, join(dir, 'judge.json')], env(address)));
  return { source: address, judged, seconds };
}

async function throughFiles(): Promise<{ source: string; judged: Judgement; seconds: number }> {
  const events = join(dir, 'events.ndjson');
  const out = join(dir, 'sealed');
  step(`writing ${EVENTS.toLocaleString('en')} events to a file`);
  writeFileSync(events, Array.from({ length: EVENTS }, (_, n) => `${demoEvent(n).value}\n`).join(''));

  step('claimseal seal --progress, a process of its own');
  const started = performance.now();
  await run(
    [MAIN, 'seal', '--config', CONFIG, '--in', events, '--out', out, '--progress'],
    env('127.0.0.1:9092'),
  );
  const seconds = (performance.now() - started) / 1000;

  step(`the judge: jose, and one audience's private key at a time (every ${STRIDE}th event)`);
  const judged = JSON.parse(await run([JUDGE, 'files', out, join(dir, 'judge.json')], env('')));
  return { source: out, judged, seconds };
}

async function main(): Promise<number> {
  step('taking a broker: KAFKA_BROKERS, Docker, or the JVM');
  const broker = await startBroker();
  try {
    if (broker.kind === 'none') {
      say(`no Kafka here, so a file is sealed instead:\n  ${broker.reasons.join('\n  ')}`);
      say('install Docker, or Java 17 and Maven, and run this again to see the stream');
    } else {
      say(`a real Kafka broker (${broker.kind}) at ${broker.brokers.join(', ')}`);
    }
    step('claimseal keygen: three audiences and the quarantine');
    for (const [name, kty] of Object.entries(KTY)) {
      await run(
        [MAIN, 'keygen', '--kty', kty, '--kid', `${name}-1`, '--out', join(dir, 'keys', name)],
        env(''),
      );
      say(`  ${name}: ${kty}`);
    }
    const privateKeys = Object.fromEntries(
      ['payroll', 'siem', 'partner'].map((name) => [
        name,
        JSON.parse(readFileSync(join(dir, 'keys', `${name}.private.jwks.json`), 'utf8')),
      ]),
    );
    const topics = Object.fromEntries(
      ['payroll', 'siem', 'partner'].map((name) => [name, `identity.${name}${suffix}`]),
    );
    writeFileSync(
      join(dir, 'judge.json'),
      JSON.stringify({
        topics: { ...topics, router: `identity.routing${suffix}` },
        keys: privateKeys,
        stride: STRIDE,
      }),
    );

    const { judged, seconds } = await (broker.kind === 'none' ? throughFiles() : throughKafka(broker));
    const matrix: Matrix = JSON.parse(
      await run([MAIN, 'explain', '--config', CONFIG, '--json'], env('127.0.0.1:9092')),
    );

    step('who could read what: found by the judge, and as `claimseal explain` has it');
    printMatrix(say, matrix, judged);
    const differences = compare(matrix, judged, EVENTS);

    step('one event before and after');
    const { id } = JSON.parse(judged.sample) as { id: string };
    say(`identity.events   ${demoEvent(Number(id.slice('evt-'.length))).value}`);
    say(`identity.payroll  ${judged.sample}`);
    say(`opened            ${judged.sampleOpened}`);

    const rate = Math.round(EVENTS / seconds).toLocaleString('en');
    step(
      `${EVENTS.toLocaleString('en')} events became ${judged.records.toLocaleString('en')} records in ${seconds.toFixed(1)} s, start-up included: ${rate} events/s`,
    );
    for (const difference of differences) say(`DIFFERENT: ${difference}`);
    say(differences.length === 0 ? 'The policy holds.' : 'What was read differs from the policy.');
    return differences.length === 0 ? 0 : 1;
  } finally {
    if (broker.kind !== 'none') await broker.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

process.exit(await main());
