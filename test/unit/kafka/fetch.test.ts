/** The answer to Fetch, written by kafkajs's encoder. */
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { createFetchDecode, type Decoder, refuseOldFetch } from '../../../src/kafka/fetch.ts';

interface Writer {
  readonly buffer: Buffer;
  writeInt16(n: number): Writer;
  writeInt32(n: number): Writer;
  writeInt64(n: unknown): Writer;
  writeString(text: string): Writer;
  writeBuffer(bytes: Buffer): Writer;
}
const require = createRequire(import.meta.url);
const protocol = (file: string) => require(`kafkajs/src/protocol/${file}.js`);
const Encoder = protocol('encoder') as new () => Writer;
const KafkajsDecoder = protocol('decoder') as new (raw: Buffer) => Decoder;
const { RecordBatch } = protocol('recordBatch/v0/index') as { RecordBatch(of: object): Promise<Writer> };
const Record = protocol('recordBatch/record/v0/index') as (of: object) => Writer;

const batchOf = async (value: Buffer) => {
  const records = [Record({ offsetDelta: 0, timestampDelta: 0, key: null, value, headers: {} })];
  return Buffer.from((await RecordBatch({ firstOffset: 7, records })).buffer);
};
const decode = createFetchDecode((raw) => new KafkajsDecoder(raw));

/** An answer of one topic with these record sets, by partition. */
function answer(
  sets: readonly Buffer[],
  aborted: readonly (readonly [producer: number, first: number])[] = [],
): Buffer {
  const out = new Encoder().writeInt32(250).writeInt16(0).writeInt32(0).writeInt32(1).writeString('events');
  out.writeInt32(sets.length);
  for (const [partition, set] of sets.entries()) {
    out
      .writeInt32(partition)
      .writeInt16(0)
      .writeInt64(9)
      .writeInt64(8)
      .writeInt64(1)
      .writeInt32(aborted.length);
    for (const [producer, first] of aborted) out.writeInt64(producer).writeInt64(first);
    out.writeInt32(-1).writeInt32(set.length).writeBuffer(set);
  }
  return out.buffer;
}

test('every part of the answer, as kafkajs goes on with it', async () => {
  const set = await batchOf(Buffer.from('v'));
  const decoded = await decode(answer([set, Buffer.alloc(0)], [[3, 5]]));
  expect(decoded).toMatchObject({ throttleTime: 0, clientSideThrottleTime: 250, errorCode: 0, sessionId: 0 });
  const [{ topicName, partitions }] = decoded.responses as [(typeof decoded.responses)[number]];
  expect(topicName).toBe('events');
  expect(partitions).toMatchObject([
    {
      ...{ partition: 0, errorCode: 0, highWatermark: '9', lastStableOffset: '8', lastStartOffset: '1' },
      ...{ abortedTransactions: [{ producerId: '3', firstOffset: '5' }], preferredReadReplica: -1 },
      messages: [{ offset: '7', value: Buffer.from('v') }],
    },
    { partition: 1, messages: [] },
  ]);
});

test('a damaged batch is named by topic, partition and offset', async () => {
  const [good, bad] = [await batchOf(Buffer.from('v')), await batchOf(Buffer.from('v'))];
  bad[bad.length - 2]! ^= 1;
  await expect(decode(answer([good, bad]))).rejects.toMatchObject({
    code: 'kafka.corrupt',
    message: expect.stringMatching(/^events\/1: .*offset 7/),
    place: { topic: 'events', partition: 1, offset: '7' },
  });
});

test('what one answer takes is bounded over all its partitions; the rest comes with the next', async () => {
  const set = await batchOf(Buffer.alloc(40 << 20));
  const { responses } = await decode(answer([set, set, set]));
  expect(responses[0]!.partitions.map(({ messages }) => messages.length)).toEqual([1, 1, 0]);
});

test('a broker that speaks older versions only is refused', () => {
  expect(refuseOldFetch).toThrow(expect.objectContaining({ code: 'kafka.version', disposition: 'halt' }));
});
