/**
 * The answer to Fetch (version 11, which every broker since 2.3 speaks) in the place of kafkajs's: with our own
 * record batches, and a bound on what one answer takes in memory, whatever its batches expand to.
 */
import { asClaimsealError, ClaimsealError } from '../errors.ts';
import { MAX_BATCH_BYTES } from './compression.ts';
import { type Budget, decodeRecordSet, type FetchedMessage } from './record-batch.ts';

/** As much of kafkajs's reader of protocol primitives as is needed here. */
export interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readString(): string;
  readBytes(length: number): Buffer;
  canReadBytes(length: number): boolean;
  readArray<T>(read: (decoder: Decoder) => T): T[];
  readArrayAsync<T>(read: (decoder: Decoder) => Promise<T>): Promise<T[]>;
}

interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly lastStartOffset: string;
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedMessage[];
}

/** kafkajs's `decode` of the answer: raw bytes to what its `parse` looks through for errors. */
export function createFetchDecode(newDecoder: (raw: Buffer) => Decoder) {
  return async (raw: Buffer) => {
    const decoder = newDecoder(raw);
    const budget: Budget = { bytes: MAX_BATCH_BYTES };
    const clientSideThrottleTime = decoder.readInt32();
    const errorCode = decoder.readInt16();
    const sessionId = decoder.readInt32();
    const responses = await decoder.readArrayAsync(async (topic) => {
      const topicName = topic.readString();
      const partitions = await topic.readArrayAsync((partition) =>
        readPartition(partition, topicName, budget),
      );
      return { topicName, partitions };
    });
    // The broker asks the client to hold back, and has not done so itself (KIP-219).
    return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
  };
}

async function readPartition(decoder: Decoder, topic: string, budget: Budget): Promise<PartitionAnswer> {
  const partition = decoder.readInt32();
  const facts = {
    partition,
    errorCode: decoder.readInt16(),
    highWatermark: decoder.readInt64().toString(),
    lastStableOffset: decoder.readInt64().toString(),
    lastStartOffset: decoder.readInt64().toString(),
    abortedTransactions: decoder.readArray((transaction) => ({
      producerId: transaction.readInt64().toString(),
      firstOffset: transaction.readInt64().toString(),
    })),
    preferredReadReplica: decoder.readInt32(),
  };
  const size = decoder.readInt32();
  if (size <= 0 || !decoder.canReadBytes(size)) return { ...facts, messages: [] };
  try {
    return { ...facts, messages: await decodeRecordSet(decoder.readBytes(size), budget) };
  } catch (thrown) {
    const { code, message, place, remedy, cause } = asClaimsealError(thrown);
    throw new ClaimsealError(code, `${topic}/${partition}: ${message}`, {
      place: { ...place, topic, partition },
      ...(remedy === undefined ? {} : { remedy }),
      cause,
    });
  }
}

/** In the place of what reads older answers: a broker that speaks none but those is refused. */
export function refuseOldFetch(): never {
  throw new ClaimsealError(
    'kafka.version',
    'expected a broker that speaks Fetch version 11, found an older one',
    {
      remedy: 'use Apache Kafka 2.3 or newer',
    },
  );
}
