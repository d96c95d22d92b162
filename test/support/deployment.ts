/** A deployment of claimseal for one test: topics and a group of its own, keys, a policy, and the built program. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Admin, Kafka, type KafkaConfig, logLevel, type Message } from 'kafkajs';
import { stringify } from 'yaml';
import { generateKeySet } from '../../src/seal/index.ts';
import { type Running, start, until } from './built.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

/** Audiences with keys, and what they may read (see `event`). */
export const READERS = ['payroll', 'siem', 'partner'] as const;
export type Reader = (typeof READERS)[number];
const KTY = { payroll: 'EC', siem: 'RSA', partner: 'OKP' } as const;

export interface DeploymentOptions {
  readonly brokers: readonly string[];
  /** What the program connects to, where that is not `brokers` (a proxy). */
  readonly via?: readonly string[];
  readonly partitions?: number;
  /** Partition counts of target topics, by audience. */
  readonly targetPartitions?: Partial<Record<Reader | 'router' | 'quarantine', number>>;
  readonly delivery?: 'exactly-once' | 'at-least-once';
  /** Topic configurations, by audience or `source`. */
  readonly topicConfig?: Partial<Record<string, Record<string, string>>>;
  /** Merged over the policy. */
  readonly policy?: Record<string, unknown>;
  /** Merged over section `kafka`. */
  readonly kafka?: Record<string, unknown>;
  /** How this test's own client connects. */
  readonly client?: Partial<KafkaConfig>;
  /** Topics that are not created. */
  readonly without?: readonly string[];
}

export interface Deployment {
  readonly dir: string;
  readonly config: string;
  readonly groupId: string;
  readonly topics: Readonly<Record<Reader | 'router' | 'quarantine' | 'source', string>>;
  /** Private JWK Sets as JSON text, by audience; `quarantine` among them. */
  readonly privateKeys: Readonly<Record<string, string>>;
  readonly admin: Admin;
  readonly kafka: Kafka;
  /** Writes the configuration again with other parts. */
  configure(parts: {
    policy?: Record<string, unknown>;
    kafka?: Record<string, unknown>;
    via?: readonly string[];
    file?: string;
  }): string;
  /** Produces `count` events, numbered from `from`, spread evenly over the partitions; returns how many a partition got. */
  produce(count: number, options?: { from?: number; size?: number; partition?: number }): Promise<void>;
  send(messages: readonly Message[]): Promise<void>;
  /** Gives topics more partitions, and waits until the broker tells of them. */
  grow(names: readonly (keyof Deployment['topics'])[], count: number): Promise<void>;
  /** Committed offsets of the group by partition; -1 where none. */
  committed(groupId?: string): Promise<number[]>;
  /** Waits until the group has committed everything that is in the source topic now. */
  drained(timeoutMs: number, groupId?: string): Promise<void>;
  start(args?: readonly string[], options?: { config?: string; env?: Record<string, string> }): Running;
  /** What `start` started, ended or not. */
  readonly running: readonly Running[];
  /** Ends what runs and removes the files. */
  close(): Promise<void>;
}

/** The event with number `n`: which audience reads what is in `policy` below. */
export function event(n: number, size = 0): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: `evt-${n}`,
    source: '/idp/eu-1',
    type: n % 4 === 3 ? 'consent.given' : 'user.updated',
    time: '2026-11-24T08:15:30.123Z',
    seq: n,
    data: {
      subject: `user-${n % 1000}`,
      email: `user-${n % 1000}@corp.example`,
      address: { street: `${n} Long Street`, city: 'Utrecht', zip: 12345678901234567n.toString() },
      roles: ['admin', `team-${n % 17}`],
      plan: n % 2 ? 'gold' : 'silver',
      ...(size > 0 ? { notes: 'n'.repeat(size) } : {}),
    },
  };
}

function policy(topics: Deployment['topics'], keyFile: (name: string) => string): Record<string, unknown> {
  return {
    version: 1,
    issuer: 'https://idp.example/events',
    source: { topics: [topics.source], format: 'json', id: ['/source', '/id'] },
    clear: ['/specversion', '/id', '/source', '/type', '/time', '/seq'],
    audiences: {
      payroll: { keys: { file: keyFile('payroll') }, topic: topics.payroll },
      siem: { keys: { file: keyFile('siem') }, topic: topics.siem, enc: 'A128GCM' },
      partner: { keys: { file: keyFile('partner') }, topic: topics.partner },
      router: { keys: 'none', topic: topics.router },
    },
    grants: [
      { claims: ['/data/email', '/data/address'], to: ['payroll'] },
      { claims: ['/data/subject', '/data/roles'], to: ['siem', 'payroll'] },
      { claims: ['/data/plan', '/data/notes'], to: ['partner'] },
    ],
    unlisted: 'reject',
    unmatched: 'quarantine',
    record: { key: 'pass' },
    quarantine: { keys: { file: keyFile('quarantine') }, topic: topics.quarantine },
  };
}

/** Asks until the broker is in a state to answer: one that stood still may have lost its offices for a moment. */
async function asked<T>(ask: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + 15_000; ; await delay(100)) {
    try {
      return await ask();
    } catch (error) {
      const retriable = error instanceof Error && 'retriable' in error && error.retriable === true;
      if (!retriable || Date.now() > end) throw error;
    }
  }
}

let serial = 0;

export async function deploy(options: DeploymentOptions): Promise<Deployment> {
  const id = `${process.pid}-${Date.now().toString(36)}-${serial++}`;
  const partitions = options.partitions ?? 4;
  const dir = mkdtempSync(join(tmpdir(), 'claimseal-'));
  mkdirSync(join(dir, 'keys'));
  const names = [...READERS, 'router', 'quarantine', 'source'] as const;
  const topics = Object.fromEntries(names.map((n) => [n, `${n}-${id}`])) as Deployment['topics'];
  const groupId = `group-${id}`;
  // Not long ago: the broker deletes what is older than its retention, whenever it was produced.
  const began = Date.now() - 3_600_000;

  const privateKeys: Record<string, string> = {};
  for (const name of [...READERS, 'quarantine'] as const) {
    const set = generateKeySet({ kty: name === 'quarantine' ? 'EC' : KTY[name], kid: `${name}-1` });
    privateKeys[name] = set.private;
    writeFileSync(join(dir, 'keys', `${name}.jwks.json`), set.public!);
  }

  const kafka = new Kafka({
    brokers: [...options.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 30, retries: 20, maxRetryTime: 1000 },
    ...options.client,
  });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: names
      .filter((name) => !options.without?.includes(name))
      .map((name) => ({
        topic: topics[name],
        numPartitions: name === 'source' ? partitions : (options.targetPartitions?.[name] ?? partitions),
        configEntries: Object.entries({
          ...(name === 'quarantine' ? { 'max.message.bytes': '4000000' } : {}),
          ...options.topicConfig?.[name],
        }).map(([key, value]) => ({ name: key, value })),
      })),
  });
  const running: Running[] = [];
  // A broker that has just started still loads its group coordinator.
  const coordinating = () => admin.fetchOffsets({ groupId, topics: [] });
  await until('the coordinator', () => coordinating().then(Boolean, () => false), 30_000);

  const configure: Deployment['configure'] = (parts) => {
    const file = join(dir, parts.file ?? 'claimseal.yaml');
    const document = {
      ...policy(topics, (name) => `keys/${name}.jwks.json`),
      kafka: {
        brokers: [...(parts.via ?? options.via ?? options.brokers)],
        groupId,
        delivery: options.delivery ?? 'exactly-once',
        sessionTimeout: '3s',
        rebalanceTimeout: '6s',
        transactionTimeout: '20s',
        ...options.kafka,
        ...parts.kafka,
      },
      ...options.policy,
      ...parts.policy,
    };
    writeFileSync(file, stringify(document));
    return file;
  };
  const config = configure({});

  // kafkajs drops messages for partitions that it does not know of yet, and repeats some after an error: hence a
  // new producer each time, idempotent, whose acknowledgements are looked at.
  const withProducer = async (use: (send: Deployment['send']) => Promise<void>) => {
    const producer = kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    try {
      await use(async (messages) => {
        const acknowledged = await producer.send({ topic: topics.source, messages: [...messages] });
        const missing = new Set(messages.map(({ partition }) => partition));
        for (const { partition } of acknowledged) missing.delete(partition);
        if (missing.size > 0) throw new Error(`not acknowledged: partitions ${[...missing].join(', ')}`);
      });
    } finally {
      await producer.disconnect();
    }
  };
  const send: Deployment['send'] = (messages) => withProducer((sendSome) => sendSome(messages));
  const committed: Deployment['committed'] = async (group = groupId) => {
    const [answer] = await asked(() => admin.fetchOffsets({ groupId: group, topics: [topics.source] }));
    const offsets: number[] = [];
    for (const { partition, offset } of answer?.partitions ?? []) offsets[partition] = Number(offset);
    return offsets;
  };

  return {
    dir,
    config,
    groupId,
    topics,
    privateKeys,
    admin,
    kafka,
    configure,
    send,
    committed,
    grow: async (names, count) => {
      const grown = names.map((name) => topics[name]);
      await admin.createPartitions({ topicPartitions: grown.map((topic) => ({ topic, count })) });
      await until('the new partitions are told of', async () => {
        const { topics: told } = await asked(() => admin.fetchTopicMetadata({ topics: grown }));
        return told.every(
          ({ partitions: all }) => all.length === count && all.every(({ leader }) => leader >= 0),
        );
      });
    },
    produce: (count, { from = 0, size = 0, partition } = {}) =>
      withProducer(async (sendSome) => {
        const step = Math.max(1, Math.min(1000, Math.floor(500_000 / Math.max(1, size))));
        for (let i = 0; i < count; i += step) {
          const length = Math.min(step, count - i);
          await sendSome(
            Array.from({ length }, (_, j) => {
              const n = from + i + j;
              return {
                key: `user-${n % 1000}`,
                value: JSON.stringify(event(n, size)),
                partition: partition ?? n % partitions,
                timestamp: String(began + n),
                headers: { traceparent: `00-${n}` },
              };
            }),
          );
        }
      }),
    drained: async (timeoutMs, group) => {
      const ends = await asked(() => admin.fetchTopicOffsets(topics.source));
      let last: number[] = [];
      await until(
        `all of ${topics.source} committed`,
        async () => {
          const halted = running.find(({ child }) => child.exitCode !== null && child.exitCode !== 0);
          if (halted) throw new Error(`it ended with ${halted.child.exitCode}\n${halted.stderr()}`);
          last = await committed(group);
          return ends.every(({ partition, high }) => Number(high) === 0 || last[partition] === Number(high));
        },
        timeoutMs,
      ).catch((error: Error) => {
        throw new Error(
          `${error.message}; committed ${last.join(',')} of ${ends.map((e) => e.high).join(',')}`,
        );
      });
    },
    start: (args = [], { config: file = config, env = {} } = {}) => {
      const started = start(['run', '--config', file, ...args], { env });
      running.push(started);
      return started;
    },
    running,
    close: async () => {
      for (const r of running) {
        r.kill('SIGCONT');
        r.kill('SIGKILL');
      }
      await Promise.all(running.map((r) => r.ended));
      await admin.disconnect();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
