/**
 * Topics as they are: which exist, how many partitions, how large a record may be. Decided at start, looked at
 * again while running, so that growth is taken up where it changes nothing and halts where it would break the
 * order of a key.
 */
import { ClaimsealError } from '../errors.ts';
import type { Observe, Output } from '../event.ts';
import { fits } from './batches.ts';
import type { Clients } from './client.ts';
import { createTopics, type Facts, readFacts } from './topic-facts.ts';

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

/** How long a topic may be missing before the stream halts. */
const MISSING_MS = 5_000;

/** A record without a timestamp. */
const NO_TIMESTAMP = '-1';

/** Checks that every topic is there, creating targets where the configuration says so. */
export async function readTopology(
  clients: Clients,
  topics: Topics,
  options: { readonly createTopics: boolean; readonly observe: Observe },
): Promise<Topology> {
  const written = [...topics.targets, ...(topics.quarantine === undefined ? [] : [topics.quarantine])];
  const all = [...topics.sources, ...written];

  let facts = await readFacts(clients, all);
  const absent = written.filter((topic) => !facts.has(topic));
  if (absent.length > 0 && options.createTopics && topics.sources.every((topic) => facts.has(topic))) {
    await createTopics(
      clients,
      absent,
      Math.max(...topics.sources.map((topic) => facts.get(topic)!.partitions)),
    );
    facts = await readFacts(clients, all);
  }
  requireAll(facts, topics.sources, 'create them first: only target topics are created');
  requireAll(
    facts,
    written,
    options.createTopics
      ? 'create them by hand: the broker took the request and does not tell of them'
      : 'create them, or set kafka.createTopics: true; where they exist, grant Describe',
  );
  refuseCompacted(facts, topics);
  warnOfSmallQuarantine(facts, topics, options.observe);

  /** The counts that outputs are mapped by, fixed at start. */
  const counts = new Map(written.map((topic) => [topic, facts.get(topic)!.partitions]));
  const sources = new Map(topics.sources.map((topic) => [topic, facts.get(topic)!.partitions]));
  let missingSince: number | undefined;

  return {
    sources,
    partition: ({ topic, partition }) => partition % counts.get(topic)!,
    maxBytes: (topic) => facts.get(topic)!.maxBytes,
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
      const now = await readFacts(clients, all);
      if (!all.every((topic) => now.has(topic))) {
        // The broker asked may not have heard of it yet; one that is gone for good is missing at the next look too.
        missingSince ??= performance.now();
        if (performance.now() - missingSince < MISSING_MS) return;
        requireAll(now, all, 'create them again, and move the group to where it was');
      }
      missingSince = undefined;
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

function requireAll(facts: Facts, topics: readonly string[], remedy: string): void {
  const missing = topics.filter((topic) => !facts.has(topic));
  if (missing.length === 0) return;
  throw new ClaimsealError(
    'kafka.topic',
    `expected topic${missing.length > 1 ? 's' : ''} ${missing.join(', ')}, found none of that name`,
    { place: { topic: missing[0]! }, remedy },
  );
}

/** Topics that could not take a single output. */
function refuseCompacted(facts: Facts, topics: Topics): void {
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

function warnOfSmallQuarantine(facts: Facts, topics: Topics, observe: Observe): void {
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
