/**
 * A session: the right to move one partition's committed offset, from a group join until the first error.
 *
 * Kafka 4 checks neither generation nor pending commits for what kafkajs sends, so the consumer group protects
 * nothing; only the producer epoch does. Hence the order on opening: a new producer object takes the epoch with
 * InitProducerId (an empty transaction, aborted), and only after that is the committed offset read. Whatever an
 * earlier owner still does is fenced from then on, and whatever it did before is in the offset. A session that
 * met an error is never used again: the broker may have carried out what it did not answer.
 */
import type { Producer, ProducerRecord, RecordMetadata, TopicMessages } from 'kafkajs';
import { ClaimsealError } from '../errors.ts';
import type { Output } from '../event.ts';
import { type Chunk, planChunks, type Send } from './batches.ts';
import { type Clients, METADATA_MAX_AGE_MS } from './client.ts';
import { kafkaFailure } from './failures.ts';
import { kafkajs } from './repairs.ts';
import type { Topology } from './topology.ts';

/** The partition of a source topic that a session is about. */
export interface Slot {
  readonly topic: string;
  readonly partition: number;
}

/** `topic/partition` */
export function slotName({ topic, partition }: Slot): string {
  return `${topic}/${partition}`;
}

/** Commits an offset through the consumer group, for at-least-once. */
export type GroupCommit = (slot: Slot, offset: bigint) => Promise<void>;

export interface SessionOptions {
  readonly clients: Clients;
  readonly topology: Topology;
  readonly groupId: string;
  readonly exactlyOnce: boolean;
  readonly transactionTimeout: number;
}

export interface Session {
  /** The committed offset as this session knows it; undefined where the group never committed one. */
  readonly position: bigint | undefined;
  /**
   * Produces the outputs of consecutive source records and commits `next`; `nextOf(i)` is the offset to commit
   * once the i-th record's outputs are out. In exactly-once both are one transaction.
   * @throws ClaimsealError; the session is over then
   */
  deliver(
    outputs: readonly (readonly Output[])[],
    nextOf: (index: number) => bigint,
    next: bigint,
    commit: GroupCommit,
  ): Promise<void>;
  close(): Promise<void>;
}

/** Opens a session on `slot`. */
export async function openSession(slot: Slot, options: SessionOptions): Promise<Session> {
  const { clients, topology, groupId, exactlyOnce } = options;
  const producer = clients.producer.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    createPartitioner,
    retry: { retries: 4 },
    ...(exactlyOnce
      ? { transactionalId: transactionalId(groupId, slot), transactionTimeout: options.transactionTimeout }
      : {}),
  });
  const close = () => producer.disconnect().catch(() => {});
  let position: bigint | undefined;
  try {
    await producer.connect();
    if (exactlyOnce) await (await producer.transaction()).abort();
    position = await committedOffset(clients, groupId, slot);
  } catch (thrown) {
    await close();
    throw kafkaFailure(thrown, slot);
  }

  const produce = exactlyOnce ? inTransaction : acknowledged;
  return {
    get position() {
      return position;
    },
    deliver: async (outputs, nextOf, next, commit) => {
      const chunks = planChunks(outputs, topology);
      if (chunks.length === 0) chunks.push({ end: 0, sends: [] });
      try {
        for (const [index, chunk] of chunks.entries()) {
          const after = index === chunks.length - 1 ? next : nextOf(chunk.end - 1);
          await produce(producer, chunk, { slot, groupId, after, commit, topology });
          position = after;
        }
      } catch (thrown) {
        throw kafkaFailure(thrown, slot);
      }
    },
    close,
  };
}

/** `claimseal/<group>/<topic>/<partition>`: the same for every instance, so that the epoch is. */
export function transactionalId(groupId: string, { topic, partition }: Slot): string {
  return `claimseal/${groupId}/${topic}/${partition}`;
}

/**
 * The group's committed offset, undefined where it never committed one. An answer that leaves the partition out
 * (stale metadata) is an error: taking it for "never" would deliver everything again.
 */
async function committedOffset(
  clients: Clients,
  groupId: string,
  { topic, partition }: Slot,
): Promise<bigint | undefined> {
  return clients.admin(async (admin) => {
    const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const found = answer?.partitions.find((p) => p.partition === partition);
    if (found === undefined) {
      throw new ClaimsealError('kafka.session', 'the committed offset is not known yet', {
        place: { topic, partition },
      });
    }
    const offset = BigInt(found.offset);
    return offset < 0n ? undefined : offset;
  });
}

// ---- producing ---------------------------------------------------------------------------------

interface Delivery {
  readonly slot: Slot;
  readonly groupId: string;
  /** The offset to commit. */
  readonly after: bigint;
  readonly commit: GroupCommit;
  readonly topology: Topology;
}

async function inTransaction(
  producer: Producer,
  chunk: Chunk,
  { slot, groupId, after, topology }: Delivery,
): Promise<void> {
  const transaction = await producer.transaction();
  for (const send of chunk.sends) await sendAll(transaction, send, topology);
  await transaction.sendOffsets({
    consumerGroupId: groupId,
    topics: [{ topic: slot.topic, partitions: [{ partition: slot.partition, offset: after.toString() }] }],
  });
  await transaction.commit();
}

async function acknowledged(
  producer: Producer,
  chunk: Chunk,
  { slot, after, commit, topology }: Delivery,
): Promise<void> {
  for (const send of chunk.sends) await sendAll(producer, send, topology);
  await commit(slot, after);
}

/** Sends, and compares what was acknowledged with what was sent: kafkajs drops what it has no metadata for. */
export async function sendAll(
  to: Pick<Producer, 'sendBatch'>,
  send: Send,
  topology: Topology,
): Promise<void> {
  const expected = new Set<string>();
  const topicMessages: TopicMessages[] = [];
  for (const [topic, outputs] of send) {
    const messages: ProducerRecord['messages'] = outputs.map((output) => {
      const partition = topology.partition(output);
      expected.add(`${topic}/${partition}`);
      return {
        key: output.key,
        value: output.value,
        partition,
        timestamp: output.timestamp,
        headers: headersOf(output),
      };
    });
    topicMessages.push({ topic, messages });
  }
  const answer: RecordMetadata[] = await to.sendBatch({ topicMessages, acks: -1 });
  for (const { topicName, partition, errorCode } of answer) {
    if (errorCode !== 0 || expected.delete(`${topicName}/${partition}`)) continue;
    // Where a leader moves while others of the send have answered, kafkajs sends theirs again under new sequence numbers.
    throw new ClaimsealError('kafka.session', `${topicName}/${partition} was acknowledged twice`);
  }
  if (expected.size > 0) {
    throw new ClaimsealError(
      'kafka.session',
      `${expected.size} partition${expected.size > 1 ? 's' : ''} not acknowledged`,
    );
  }
}

/** kafkajs's shape of headers: a repeated name has a list. */
function headersOf({ headers }: Output): Record<string, Buffer | Buffer[]> {
  const grouped: Record<string, Buffer | Buffer[]> = Object.create(null);
  for (const [name, value] of headers) {
    const before = grouped[name];
    grouped[name] =
      before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return grouped;
}

/**
 * Takes the partition that the message states. One that the producer's metadata lacks would be dropped without
 * a word; this error makes kafkajs refresh its metadata and try again.
 */
function createPartitioner(): (args: {
  topic: string;
  partitionMetadata: { partitionId: number }[];
  message: { partition?: number };
}) => number {
  const { KafkaJSError } = kafkajs();
  return ({ topic, partitionMetadata, message }) => {
    const { partition } = message;
    if (partition !== undefined && partitionMetadata.some((p) => p.partitionId === partition))
      return partition;
    const unknown = new KafkaJSError(`partition ${partition} of ${topic} is not in the metadata`, {
      retriable: true,
    });
    throw Object.assign(unknown, { name: 'KafkaJSMetadataNotLoaded' });
  };
}
