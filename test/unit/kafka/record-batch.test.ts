/** Record batches against kafkajs's encoder and decoder, an implementation that is not ours. */
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/kafka/crc32c.ts';
import { type Budget, decodeRecordSet, type FetchedMessage } from '../../../src/kafka/record-batch.ts';

interface Encoder {
  readonly buffer: Buffer;
}
interface Given {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}
const require = createRequire(import.meta.url);
const protocol = (file: string) => require(`kafkajs/src/protocol/${file}.js`);
const { RecordBatch } = protocol('recordBatch/v0/index') as { RecordBatch(of: object): Promise<Encoder> };
const Long = require('kafkajs/src/utils/long.js') as { fromValue(value: string | number): unknown };
const varints = protocol('encoder') as new () => {
  writeVarInt(n: number): typeof Encoder.prototype;
  writeVarLong(n: unknown): typeof Encoder.prototype;
};
declare class Encoder {
  readonly buffer: Buffer;
}

const varint = (n: number) => (new varints().writeVarInt(n) as Encoder).buffer;
const sized = (bytes: Buffer | null) =>
  bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);

function recordBytes({ offset, key, value, headers }: Given): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(offset * 3), // timestamp delta
    varint(offset),
    sized(key),
    sized(value),
    varint(headers.length),
    ...headers.flatMap(([name, header]) => [sized(Buffer.from(name)), sized(header)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

const PRODUCER = '4611686018427387905';

/** A batch at `base`, by kafkajs's frame. `last` is the offset delta of a record that may be gone. */
async function batch(
  records: readonly Given[],
  more: { base?: string; last?: number; gzip?: boolean; attributes?: number; count?: number } = {},
): Promise<Buffer> {
  const body = Buffer.concat(records.map(recordBytes));
  const { base = '0', last = records.at(-1)?.offset ?? 0, gzip = false, attributes = 0x10 } = more;
  const framed = await RecordBatch({
    firstOffset: Long.fromValue(base),
    firstTimestamp: 1_700_000_000_000,
    maxTimestamp: 1_700_000_000_999,
    producerId: Long.fromValue(PRODUCER),
    lastOffsetDelta: last,
    transactional: true,
  });
  const head = Buffer.from(framed.buffer.subarray(0, 61));
  const packed = gzip ? gzipSync(body) : body;
  const bytes = Buffer.concat([head, packed]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt16BE(attributes | (gzip ? 1 : 0), 21);
  bytes.writeInt32BE(more.count ?? records.length, 57);
  bytes.writeUInt32BE(crc32c(bytes, 21), 17);
  return bytes;
}

const plenty = (): Budget => ({ bytes: 1 << 30 });
const decode = (bytes: Buffer, budget = plenty()) => decodeRecordSet(bytes, budget);
const record = (offset: number, more: Partial<Given> = {}): Given => ({
  ...{ offset, key: Buffer.from('k'), value: Buffer.from(`v${offset}`), headers: [] },
  ...more,
});
const shown = (messages: readonly FetchedMessage[]) =>
  messages.map(({ offset, isControlRecord }) => `${offset}${isControlRecord ? ' control' : ''}`);

test('the checksum is CRC-32C, as RFC 3720 has it', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
});

test('what kafkajs decodes of the same bytes', async () => {
  const theirs = protocol('requests/fetch/v4/decodeMessages') as (
    decoder: unknown,
  ) => Promise<FetchedMessage[]>;
  const Decoder = protocol('decoder') as new (bytes: Buffer) => unknown;
  const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b)));
  const name = fc.string({ minLength: 1, maxLength: 5 }).filter((n) => !(n in {}));
  const records = fc.array(
    fc.record({ key: bytes, value: bytes, headers: fc.array(fc.tuple(name, bytes), { maxLength: 4 }) }),
    { minLength: 1, maxLength: 6 },
  );
  const base = fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String);
  await fc.assert(
    fc.asyncProperty(
      fc.array(records, { minLength: 1, maxLength: 3 }),
      base,
      fc.boolean(),
      async (sets, from, gzip) => {
        const batches = await Promise.all(
          sets.map((set) =>
            batch(
              set.map((r, offset) => ({ ...r, offset })),
              { base: from, gzip },
            ),
          ),
        );
        const set = Buffer.concat(batches);
        const size = Buffer.alloc(4);
        size.writeInt32BE(set.length);
        const expected = await theirs(new Decoder(Buffer.concat([size, set])));
        const got = await decode(set);
        const comparable = ({
          offset,
          timestamp,
          key,
          value,
          headers,
          isControlRecord,
          batchContext,
        }: FetchedMessage) => ({
          ...{ offset, timestamp, key, value, isControlRecord, headers: Object.entries(headers).sort() },
          ...{ producerId: batchContext.producerId, inTransaction: batchContext.inTransaction },
        });
        expect(got.map(comparable)).toEqual(expected.map(comparable));
      },
    ),
    { numRuns: 150 },
  );
});

describe('what kafkajs gets wrong', () => {
  test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', '7'])(
    'a header called %s',
    async (name) => {
      const headers = [
        [name, Buffer.from('a')],
        [name, null],
        [name, Buffer.from('b')],
      ] as const;
      const [message] = await decode(await batch([record(0, { headers })]));
      expect(Object.entries(message!.headers)).toEqual([[name, [Buffer.from('a'), null, Buffer.from('b')]]]);
    },
  );

  test('many headers take time in proportion', async () => {
    const headers = Array.from({ length: 100_000 }, (_, n) => [`h${n}`, null] as const);
    const [message] = await decode(await batch([record(0, { headers })]));
    expect(Object.keys(message!.headers)).toHaveLength(100_000);
  });

  test('a batch that compaction emptied, or whose end it took, tells its last offset', async () => {
    const empty = await batch([], { base: '7', last: 4 });
    expect(shown(await decode(empty))).toEqual(['11 control']);
    const cut = await batch([record(0), record(2)], { base: '12', last: 5 });
    expect(shown(await decode(Buffer.concat([empty, cut])))).toEqual([
      '11 control',
      '12',
      '14',
      '17 control',
    ]);
  });

  test('150,000 records in one batch', async () => {
    const bytes = await batch(
      Array.from({ length: 150_000 }, (_, n) => record(n, { key: null, value: null })),
    );
    expect(await decode(bytes)).toHaveLength(150_000);
  });

  test.each([17, 22, 30, 57, 61, 70])('a byte that changed on its way: %i', async (at) => {
    const bytes = await batch([record(0), record(1)], { base: '5' });
    bytes[at]! ^= 0x40;
    await expect(decode(bytes)).rejects.toMatchObject({ code: 'kafka.corrupt', place: { offset: '5' } });
  });
});

test('LogAppendTime and control batches', async () => {
  const [stamped] = await decode(await batch([record(1)], { last: 1, attributes: 0x08 }));
  expect(stamped).toMatchObject({ timestamp: '1700000000999', batchContext: { inTransaction: false } });
  const [marker] = await decode(
    await batch([record(0, { key: Buffer.from([0, 0, 0, 1]) })], { attributes: 0x30 }),
  );
  expect(marker).toMatchObject({
    isControlRecord: true,
    batchContext: { producerId: PRODUCER, inTransaction: true },
  });
});

describe('memory', () => {
  test('what goes beyond the budget is left for the next fetch; the first is always read', async () => {
    const one = await batch([record(0)]);
    const two = await batch([record(0)], { base: '1' });
    const budget = { bytes: 1 };
    expect(shown(await decode(Buffer.concat([one, two]), budget))).toEqual(['0']);
    expect(await decode(two, budget)).toEqual([]);
    expect(shown(await decode(Buffer.concat([one, two])))).toEqual(['0', '1']);
  });

  test('a batch that expands beyond the limit, or to absurdly many records, is refused', async () => {
    const bomb = await batch([record(0, { value: Buffer.alloc(65 << 20) })], { base: '9', gzip: true });
    expect(bomb.length).toBeLessThan(1 << 20);
    await expect(decode(bomb)).rejects.toMatchObject({ code: 'kafka.compression', place: { offset: '9' } });
    const many = await batch([record(0)], { count: 1_000_001 });
    await expect(decode(many)).rejects.toMatchObject({ code: 'kafka.corrupt' });
  });
});

describe('bytes that lie, with a checksum that fits', () => {
  test('cut anywhere: whole batches or nothing', async () => {
    const bytes = Buffer.concat([await batch([record(0)]), await batch([record(0)], { base: '1' })]);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(shown(await decode(bytes.subarray(0, length)))).toEqual(length < bytes.length / 2 ? [] : ['0']);
    }
  });

  test.each([-2, -1, 1, 3, 1_000_000])('a count of %i where there are 2', async (count) => {
    const lying = await batch([record(0), record(1)], { count });
    await expect(decode(lying)).rejects.toMatchObject({ code: 'kafka.corrupt' });
  });

  test('any bytes where records should be: read, or refused as corrupt', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 60 }),
        fc.integer({ min: 0, max: 3 }),
        async (junk, count) => {
          const bytes = Buffer.concat([await batch([], { count }), Buffer.from(junk)]);
          bytes.writeInt32BE(bytes.length - 12, 8);
          bytes.writeUInt32BE(crc32c(bytes, 21), 17);
          const error = await decode(bytes).then(
            () => undefined,
            (e) => e,
          );
          if (error !== undefined) expect(error).toMatchObject({ code: 'kafka.corrupt' });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a message format from before 0.11', async () => {
    const bytes = await batch([record(0)]);
    bytes.writeInt8(1, 16);
    await expect(decode(bytes)).rejects.toMatchObject({ code: 'kafka.corrupt' });
  });
});
