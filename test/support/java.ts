/** Java's clients as processes: the judge of what was delivered, and a producer that compresses as others do. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { javaTool, kafkaLibs } from './kafka-libs.ts';

const SOURCE = resolve(import.meta.dirname, 'java/Judge.java');
const CACHE = resolve(import.meta.dirname, '../../.cache');
const JVM = [
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
];

export interface JavaRecord {
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds, as Kafka's clients write it. */
  readonly timestamp: string;
  /** Base64. */
  readonly key: string | null;
  /** Base64; null too where values were not asked for. */
  readonly value: string | null;
  /** Values in base64. */
  readonly headers: readonly (readonly [name: string, value: string | null])[];
}

export interface ReadOptions {
  readonly isolation?: 'read_committed' | 'read_uncommitted';
  readonly values?: boolean;
}

/** All records of a topic up to its end offsets, in the order of each partition. */
export async function readAll(
  brokers: readonly string[],
  topic: string,
  options: ReadOptions = {},
): Promise<JavaRecord[]> {
  return (await readTopics(brokers, { topic }, options)).topic;
}

/** As `readAll`, for several topics in one process; the answer has the names that `topics` has. */
export async function readTopics<Name extends string>(
  brokers: readonly string[],
  topics: Readonly<Record<Name, string>>,
  { isolation = 'read_committed', values = true }: ReadOptions = {},
): Promise<Record<Name, JavaRecord[]>> {
  const names = Object.keys(topics) as Name[];
  const records = Object.fromEntries(names.map((name): [Name, JavaRecord[]] => [name, []])) as Record<
    Name,
    JavaRecord[]
  >;
  const byTopic = new Map(names.map((name) => [topics[name], records[name]]));
  const list = [...byTopic.keys()].join(',');
  const child = await judge(['read', brokers.join(','), list, isolation, values ? 'values' : 'none']);
  for await (const line of createInterface({ input: child.stdout })) {
    const [topic, partition, offset, timestamp, key, value, headers] = line.split(' ') as string[];
    byTopic.get(topic!)!.push({
      partition: Number(partition),
      offset: Number(offset),
      timestamp: timestamp!,
      key: field(key!),
      value: field(value!),
      headers: headers!
        .split(',')
        .slice(0, -1)
        .map((header) => {
          const [name, content] = header.split(':') as [string, string];
          return [Buffer.from(name.slice(1), 'base64').toString(), field(content)] as const;
        }),
    });
  }
  await child.ended;
  return records;
}

/** What Java's producer is to send; key and value as bytes. */
export interface JavaMessage {
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** Produces in one go; inside a transaction that is committed or aborted where `end` says so. */
export async function produceJava(
  brokers: readonly string[],
  topic: string,
  messages: readonly JavaMessage[],
  options: {
    compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
    end?: 'none' | 'commit' | 'abort';
  } = {},
): Promise<void> {
  const { compression = 'none', end = 'none' } = options;
  const child = await judge(['produce', brokers.join(','), topic, compression, end]);
  const text = (bytes: Buffer | null) => (bytes === null ? '-' : `'${bytes.toString('base64')}`);
  child.stdout.resume();
  child.stdin.end(messages.map((m) => `${m.partition} ${text(m.key)} ${text(m.value)}\n`).join(''));
  await child.ended;
}

const field = (text: string) => (text === '-' ? null : text.slice(1));

async function judge(args: readonly string[]) {
  const libs = await kafkaLibs((line) => process.stderr.write(`${line}\n`));
  const classes = await compiled(libs);
  const child = spawn(javaTool('java'), [...JVM, '-cp', `${classes}:${join(libs, '*')}`, 'Judge', ...args]);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = new Promise<void>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) =>
      code === 0 ? done() : fail(new Error(`java ended with ${code}\n${errors.slice(-3000)}`)),
    );
  });
  ended.catch(() => {}); // whoever awaits it hears of it
  return Object.assign(child, { ended });
}

/** The folder with the classes; compiled once for each version of the source. */
async function compiled(libs: string): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  const classes = join(CACHE, `java-${digest}`);
  if (existsSync(classes)) return classes;
  const fresh = `${classes}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    await promisify(execFile)(javaTool('javac'), ['-cp', join(libs, '*'), '-d', fresh, SOURCE]);
    if (!existsSync(classes)) renameSync(fresh, classes);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return classes;
}
