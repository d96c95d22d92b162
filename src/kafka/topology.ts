/**
 * Topics as they are: which exist, how many partitions, how large a record may be. Decided at start, looked at
 * again while running, so that growth is taken up where it changes nothing and halts where it would break the
 * order of a key.
 */
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
}

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
    const numPartitions = Math.max(...topics.sources.map((topic) => facts.get(topic)!.partitions));
    await clients.admin((admin) =>
      admin.createTopics({ topics: absent.map((topic) => ({ topic, numPartitions })), waitForLeaders: true }),
    );
    facts = await read();
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
      const { maxBytes, compacted } = facts.get(output.topic)!;
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
      for (const topic of topics.sources) sources.set(topic, now.get(topic)!.partitions);
      const widest = Math.max(...sources.values());
      for (const [topic, old] of counts) {
        const count = now.get(topic)!.partitions;
        if (count === old) continue;
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
    });
  }
  return facts;
}

/** Empty where the principal may not describe configurations: the defaults then stand. */
async function describeConfigs(
  admin: Admin,
  topics: readonly string[],
): Promise<Map<string, Map<string, string>>> {
  const { ConfigResourceTypes } = kafkajs();
  const configNames = ['max.message.bytes', 'cleanup.policy'];
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
