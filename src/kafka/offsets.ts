/** Offsets as the broker knows them: ends of the log, and what the group committed. */
import { setTimeout as delay } from 'node:timers/promises';
import { ClaimsealError } from '../errors.ts';
import type { Clients } from './client.ts';
import { kafkaFailure } from './failures.ts';
import type { Slot } from './session.ts';
import type { LogRange } from './worker.ts';

/** How long an answer serves several partitions that ask at once. */
const FRESH_MS = 300;

/** A transaction's offsets are seen once its marker is written, behind the answer to its commit. */
const VISIBLE_TRIES = 100;
const VISIBLE_DELAY_MS = 100;

export interface Offsets {
  range(slot: Slot): Promise<LogRange>;
  /** What the group committed, by `topic/partition`; partitions without a commit are left out. */
  committed(topics: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  /** The offset behind the last record of every partition that holds any, by `topic/partition`. */
  ends(topics: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  /** Commits the end of every partition, unless the group committed anything before. `topics` gives partition counts. */
  startAtEnd(topics: ReadonlyMap<string, number>): Promise<void>;
}

export function createOffsets(clients: Clients, groupId: string): Offsets {
  const recent = new Map<
    string,
    { readonly at: number; readonly ranges: Promise<ReadonlyMap<number, LogRange>> }
  >();

  const ranges = (topic: string): Promise<ReadonlyMap<number, LogRange>> => {
    const known = recent.get(topic);
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.ranges;
    const asked = clients.admin(async (admin) => {
      const answer = await admin.fetchTopicOffsets(topic);
      return new Map(
        answer.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
      );
    });
    asked.catch(() => recent.delete(topic));
    recent.set(topic, { at: performance.now(), ranges: asked });
    return asked;
  };

  const committed: Offsets['committed'] = (topics) =>
    clients.admin(async (admin) => {
      const answer = await admin.fetchOffsets({ groupId, topics: [...topics] });
      const offsets = new Map<string, bigint>();
      for (const { topic, partitions } of answer) {
        for (const { partition, offset } of partitions) {
          if (BigInt(offset) >= 0n) offsets.set(`${topic}/${partition}`, BigInt(offset));
        }
      }
      return offsets;
    });

  const endsOf = (topics: ReadonlyMap<string, number>) =>
    Promise.all(
      [...topics].map(async ([topic, count]) => {
        const known = [...(await ranges(topic))];
        // One that is left out would be read from its beginning.
        if (known.length < count)
          throw new ClaimsealError('kafka.session', `not all of ${topic} is told of yet`);
        return {
          topic,
          partitions: known.map(([partition, { high }]) => ({ partition, offset: high.toString() })),
        };
      }),
    );

  return {
    committed,
    range: async ({ topic, partition }) => {
      // A partition too new for this metadata starts at 0, as every partition does.
      return (await ranges(topic)).get(partition) ?? { low: 0n, high: 0n };
    },
    ends: async (topics) => {
      const ends = new Map<string, bigint>();
      for (const topic of topics) {
        for (const [partition, { low, high }] of await ranges(topic))
          if (high > low) ends.set(`${topic}/${partition}`, high);
      }
      return ends;
    },
    startAtEnd: async (topics) => {
      const begun = async () => (await committed([...topics.keys()])).size > 0;
      if (await begun()) return;
      // All topics in one transaction: a part of them would pass for a group that has begun. Its epoch fences an
      // instance that starts at the same time.
      const producer = clients.producer.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        transactionalId: `claimseal/${groupId}/start`,
      });
      try {
        await producer.connect();
        await (await producer.transaction()).abort();
        if (await begun()) return;
        const transaction = await producer.transaction();
        await transaction.sendOffsets({ consumerGroupId: groupId, topics: await endsOf(topics) });
        await transaction.commit();
        for (let tries = 0; !(await begun()); tries += 1) {
          if (tries === VISIBLE_TRIES)
            throw new ClaimsealError('kafka.session', 'the start is not visible yet');
          await delay(VISIBLE_DELAY_MS);
        }
      } catch (thrown) {
        throw kafkaFailure(thrown);
      } finally {
        await producer.disconnect().catch(() => {});
      }
    },
  };
}
