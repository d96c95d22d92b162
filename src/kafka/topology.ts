/**
 * Topics as they are: which exist, how many partitions, how large a record may be. Decided at start, looked at
 * again while running, so that growth is taken up where it changes nothing and halts where it would break the
 * order of a key.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { ClaimsealError } from '../errors.ts';
import type { Observe, Output } from '../event.ts';
import { fits } from './batches.ts';
import type { Clients } from './client.ts';
import { kafkaFailure } from './failures.ts';
import { kafkajs } from './repairs.ts';

/** Kafka's default for `max.message.bytes`. */
const DEFAULT_MAX_BYTES = 1_048_588;
/** Base64 of base64 and its frame: what a quarantined record grows by. */
const QUARANTINE_GROWTH = 1.9;

export interface Topics {
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  readonly quarantine: string | undefined;
  /** Whether outputs carry a key (`record.key` is not `drop`). What goes to the quarantine never does. */
  readonly keyed: boolean;
}

export interface Topology {
  readonly sources: ReadonlyMap<string, number>;
  /** Output partition = source partition where counts agree, else modulo the target's count at start. */
  partition(output: Pick<Output, 'topic' | 'partition'>): number;
  maxBytes(topic: string): number;
  /** Throws a `deadLetter` for an output that this topic can never take. */
  admit(output: Output): void;
  /** Looks again; throws what halts. */
  refresh(): Promise<void>;
}

interface TopicFacts {
  readonly partitions: number;
  readonly maxBytes: number;
  readonly compacted: boolean;
  /** How far a record's timestamp may be ahead of the broker's clock, and behind it. */
  readonly aheadMs: number;
  readonly behindMs: number;
}

/** A record without a timestamp. */
const NO_TIMESTAMP = '-1';

/** Checks that every topic is there, creating targets where the configuration says so. */
export async function readTopology(
  clients: Clients,
  topics: Topics,
  options: { readonly createTopics: boolean; readonly observe: Observe },
): Promise<Topology> {
  const written = [...topics.targets, ...(topics.quarantine === undefined ? [] : [topics.quarantine])];
  const read = () => clients.admin((admin) => describe(admin, [...topics.sources, ...written]));

  let facts = await read();
  const absent = written.filter((topic) => !facts.has(topic));
  if (absent.length > 0 && options.createTopics && topics.sources.every((topic) => facts.has(topic))) {
    await createTopics(
      clients,
      absent,
      Math.max(...topics.sources.map((topic) => facts.get(topic)!.partitions)),
    );
    facts = await read();
    // The broker asked may not have heard of them yet.
    for (let tries = 0; tries < 20 && !absent.every((topic) => facts.has(topic)); tries += 1) {
      await delay(250);
      facts = await read();
    }
  }
  requireAll(facts, [...topics.sources, ...written], options.createTopics);
  refuseCompacted(facts, topics);
  warnOfSmallQuarantine(facts, topics, options.observe);

  /** The counts that outputs are mapped by, fixed at start. */
  const counts = new Map(written.map((topic) => [topic, facts.get(topic)!.partitions]));
  const sources = new Map(topics.sources.map((topic) => [topic, facts.get(topic)!.partitions]));

  return {
    sources,
    partition: ({ topic, partition }) => partition % counts.get(topic)!,
    maxBytes: (topic) => facts.get(topic)?.maxBytes ?? DEFAULT_MAX_BYTES,
    admit: (output) => {
      const { maxBytes, compacted, aheadMs, behindMs } = facts.get(output.topic)!;
      const ageMs = output.timestamp === NO_TIMESTAMP ? 0 : Date.now() - Number(output.timestamp);
      if (ageMs > behindMs || -ageMs > aheadMs) {
        const setting = ageMs > 0 ? 'message.timestamp.before.max.ms' : 'message.timestamp.after.max.ms';
        throw new ClaimsealError(
          'output.timestamp',
          `an output's timestamp is further from now than ${setting} of topic ${output.topic} allows`,
          {
            remedy: `mend the producer's clock, or raise ${setting}, or set message.timestamp.type=LogAppendTime`,
          },
        );
      }
      if (!fits(output, maxBytes)) {
        throw new ClaimsealError(
          'output.tooLarge',
          `an output exceeds max.message.bytes ${maxBytes} of topic ${output.topic}`,
          {
            remedy: `raise max.message.bytes of ${output.topic}`,
          },
        );
      }
      if (compacted && output.key === null) {
        throw new ClaimsealError(
          'output.nullKey',
          `topic ${output.topic} is compacted and takes no record without a key`,
          { remedy: `let the producer set a key, or set cleanup.policy=delete for ${output.topic}` },
        );
      }
    },
    refresh: async () => {
      const now = await read();
      requireAll(now, [...topics.sources, ...written], false);
      refuseCompacted(now, topics);
      // Partitions that are new had no order to break.
      const widest = Math.max(...sources.values());
      for (const topic of topics.sources) sources.set(topic, now.get(topic)!.partitions);
      for (const [topic, old] of counts) {
        const count = now.get(topic)!.partitions;
        // Fewer: a broker that has not heard of the others yet.
        if (count <= old) continue;
        for (let partition = 0; partition < widest; partition += 1) {
          if (partition % old !== partition % count) throw remapped(topic, old, count, partition);
        }
        counts.set(topic, count);
      }
      facts = now;
    },
  };
}

async function describe(admin: Admin, topics: readonly string[]): Promise<Map<string, TopicFacts>> {
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

/** All or none, and none twice: another instance may be creating them too. */
async function createTopics(
  clients: Clients,
  topics: readonly string[],
  numPartitions: number,
): Promise<void> {
  try {
    await clients.admin((admin) =>
      admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions })), waitForLeaders: true }),
    );
  } catch (thrown) {
    const error = kafkaFailure(thrown);
    if (error.message.startsWith('TOPIC_ALREADY_EXISTS')) return;
    if (error.code !== 'kafka.session') throw error;
    throw new ClaimsealError('kafka.topic', `creating ${topics.join(', ')} was refused: ${error.message}`, {
      place: { topic: topics[0]! },
      remedy: 'create them by hand, or mend what the broker names',
      cause: thrown,
    });
  }
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

function requireAll(
  facts: ReadonlyMap<string, TopicFacts>,
  topics: readonly string[],
  created: boolean,
): void {
  const missing = topics.filter((topic) => !facts.has(topic));
  if (missing.length === 0) return;
  throw new ClaimsealError(
    'kafka.topic',
    `expected topic${missing.length > 1 ? 's' : ''} ${missing.join(', ')}, found none of that name`,
    {
      place: { topic: missing[0]! },
      remedy: created
        ? 'create the source topics first: only target topics are created'
        : 'create them, or set kafka.createTopics: true for the target topics; where they exist, grant Describe',
    },
  );
}

/** Topics that could not take a single output. */
function refuseCompacted(facts: ReadonlyMap<string, TopicFacts>, topics: Topics): void {
  const keyless = [
    ...(topics.keyed ? [] : topics.targets),
    ...(topics.quarantine === undefined ? [] : [topics.quarantine]),
  ];
  const compacted = keyless.filter((topic) => facts.get(topic)!.compacted);
  if (compacted.length === 0) return;
  throw new ClaimsealError(
    'kafka.topic',
    `expected topics for records without a key, found cleanup.policy=compact on ${compacted.join(', ')}`,
    {
      place: { topic: compacted[0]! },
      remedy: 'set cleanup.policy=delete there; for an audience, record.key: pass or hmac does as well',
    },
  );
}

function warnOfSmallQuarantine(
  facts: ReadonlyMap<string, TopicFacts>,
  topics: Topics,
  observe: Observe,
): void {
  if (topics.quarantine === undefined) return;
  const largest = Math.max(...topics.sources.map((topic) => facts.get(topic)!.maxBytes));
  const { maxBytes } = facts.get(topics.quarantine)!;
  if (maxBytes < largest * QUARANTINE_GROWTH) {
    observe({
      type: 'warning',
      message: `topic ${topics.quarantine} has max.message.bytes ${maxBytes}, less than ${QUARANTINE_GROWTH} x the source's ${largest}: a large bad record would halt the stream`,
    });
  }
}

function remapped(topic: string, old: number, count: number, partition: number): ClaimsealError {
  return new ClaimsealError(
    'kafka.partitions',
    `topic ${topic} went from ${old} to ${count} partitions, which would move records of source partition ${partition} from ${partition % old} to ${partition % count} and break the order of their keys`,
    {
      place: { topic, partition },
      remedy: 'let readers drain the topic, then start claimseal again: it takes the new count at start',
    },
  );
}
