/** What the brokers tell of topics: counts, limits, and creating those that are missing. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { asClaimsealError, ClaimsealError } from '../errors.ts';
import type { Clients } from './client.ts';
import { kafkaFailure } from './failures.ts';
import { kafkajs } from './repairs.ts';

export type Facts = ReadonlyMap<string, TopicFacts>;

export interface TopicFacts {
  readonly partitions: number;
  readonly maxBytes: number;
  readonly compacted: boolean;
  /** How far a record's timestamp may be ahead of the broker's clock, and behind it. */
  readonly aheadMs: number;
  readonly behindMs: number;
}

/** Kafka's default for `max.message.bytes`. */
const DEFAULT_MAX_BYTES = 1_048_588;
/** How long a new topic may take to be told of by whichever broker is asked. */
const SEEN_TRIES = 20;
const SEEN_DELAY_MS = 250;

/** What there is of the topics; those that do not exist are left out. */
export function readFacts(clients: Clients, topics: readonly string[]): Promise<Facts> {
  return clients.admin((admin) => describe(admin, topics));
}

async function describe(admin: Admin, topics: readonly string[]): Promise<Facts> {
  const facts = new Map<string, TopicFacts>();
  const there = new Set(await admin.listTopics());
  const found = topics.filter((topic) => there.has(topic));
  if (found.length === 0) return facts;
  const { topics: metadata } = await admin.fetchTopicMetadata({ topics: found });
  const configs = await describeConfigs(admin, found);
  for (const { name, partitions } of metadata) {
    const config = configs.get(name);
    facts.set(name, {
      partitions: partitions.length,
      maxBytes: Number(config?.get('max.message.bytes') ?? DEFAULT_MAX_BYTES),
      compacted: config?.get('cleanup.policy')?.includes('compact') ?? false,
      ...timestampLimits(config),
    });
  }
  return facts;
}

/** None where the broker stamps records itself. */
function timestampLimits(
  config: ReadonlyMap<string, string> | undefined,
): Pick<TopicFacts, 'aheadMs' | 'behindMs'> {
  const limit = (name: string) =>
    config?.get('message.timestamp.type') === 'LogAppendTime'
      ? Number.POSITIVE_INFINITY
      : Number(config?.get(name) ?? Number.POSITIVE_INFINITY);
  return {
    aheadMs: limit('message.timestamp.after.max.ms'),
    behindMs: limit('message.timestamp.before.max.ms'),
  };
}

/** Empty where the principal may not describe configurations: the defaults then stand. */
async function describeConfigs(
  admin: Admin,
  topics: readonly string[],
): Promise<Map<string, Map<string, string>>> {
  const { ConfigResourceTypes } = kafkajs();
  const configNames = [
    'max.message.bytes',
    'cleanup.policy',
    'message.timestamp.type',
    'message.timestamp.after.max.ms',
    'message.timestamp.before.max.ms',
  ];
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames })),
    });
    return new Map(
      resources.map((r) => [
        r.resourceName,
        new Map(r.configEntries.map((e) => [e.configName, e.configValue])),
      ]),
    );
  } catch (thrown) {
    if (kafkaFailure(thrown).code !== 'kafka.credentials') throw thrown;
    return new Map();
  }
}

/**
 * Creates topics, and waits until the broker tells of them. One that another instance created meanwhile is fine.
 * @throws ClaimsealError `kafka.topic` when the broker refuses
 */
export async function createTopics(
  clients: Clients,
  topics: readonly string[],
  numPartitions: number,
): Promise<void> {
  try {
    await clients.admin((admin) =>
      admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions })), waitForLeaders: true }),
    );
  } catch (thrown) {
    const error = asClaimsealError(thrown);
    if (error.code !== 'kafka.session') throw error;
    throw new ClaimsealError('kafka.topic', `creating ${topics.join(', ')} was refused: ${error.message}`, {
      place: { topic: topics[0]! },
      remedy: 'create them by hand, or mend what the broker names',
      cause: thrown,
    });
  }
  for (let tries = 0; tries < SEEN_TRIES; tries += 1) {
    const facts = await readFacts(clients, topics);
    if (topics.every((topic) => facts.has(topic))) return;
    await delay(SEEN_DELAY_MS);
  }
}
