/** Codecs against bytes that others made. Batches of a real Java producer are read in test/integration. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decompress } from '../../../src/kafka/compression.ts';

/** Numbers of codecs in the attributes of a record batch. */
const CODEC = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 };
const TEXT = Buffer.from('claimseal '.repeat(10));

/** `TEXT` by lz4 1.9.4, zstd 1.5.4 and python-snappy, in base64. */
const BY_OTHERS = {
  LZ4: 'BCJNGGBAghQAAACvY2xhaW1zZWFsIAoAQlBzZWFsIAAAAAA=',
  ZSTD: 'KLUv/SRkjQAAUGNsYWltc2VhbCABANepIAGLivcc',
} as const;

const RAW_SNAPPY = Buffer.concat([Buffer.from([TEXT.length, 9 << 2]), TEXT.subarray(0, 10), copies(90, 10)]);

/** Snappy's copy elements with a two-byte offset: `length` bytes from `offset` back. */
function copies(length: number, offset: number): Buffer {
  const parts: number[] = [];
  for (let left = length; left > 0; left -= 64) {
    const n = Math.min(left, 64);
    parts.push(((n - 1) << 2) | 2, offset, 0);
  }
  return Buffer.from(parts);
}

function xerial(...blocks: readonly Buffer[]): Buffer {
  const header = Buffer.from('82534e4150505900' + '00000001' + '00000001', 'hex');
  const framed = blocks.flatMap((block) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    return [length, block];
  });
  return Buffer.concat([header, ...framed]);
}

const GIVEN: readonly (readonly [string, number, Buffer, Buffer])[] = [
  ['gzip', CODEC.gzip, gzipSync(TEXT), TEXT],
  ['snappy, bare', CODEC.snappy, RAW_SNAPPY, TEXT],
  ['snappy, two xerial blocks', CODEC.snappy, xerial(RAW_SNAPPY, RAW_SNAPPY), Buffer.concat([TEXT, TEXT])],
  ['lz4', CODEC.lz4, Buffer.from(BY_OTHERS.LZ4, 'base64'), TEXT],
  ['zstd', CODEC.zstd, Buffer.from(BY_OTHERS.ZSTD, 'base64'), TEXT],
];

const read = (codec: number, input: Buffer, limit = 1 << 20) =>
  decompress(codec, input, { limit, offset: 7n });
const refused = { code: 'kafka.compression', place: { offset: '7' } };

describe.each(GIVEN)('%s', (_name, type, input, output) => {
  test('is read', async () => {
    expect(await read(type, input)).toEqual(output);
  });

  test('stops at the limit', async () => {
    await expect(read(type, input, 50)).rejects.toMatchObject(refused);
  });
});

test('lz4 with checksums after blocks is refused, not misread', async () => {
  const input = Buffer.from(BY_OTHERS.LZ4, 'base64');
  input[4]! |= 0x10;
  await expect(read(CODEC.lz4, input)).rejects.toMatchObject(refused);
});

test.each(GIVEN.filter(([name]) => name === 'gzip' || name === 'zstd'))(
  '%s: cut short anywhere, is refused',
  async (_name, type, input) => {
    for (let length = 1; length < input.length; length += 1) {
      await expect(read(type, input.subarray(0, length))).rejects.toMatchObject(refused);
    }
  },
);

test('a snappy block that lies about its length is refused', async () => {
  for (const length of [-1, 0, 1000]) {
    const input = xerial(RAW_SNAPPY);
    input.writeInt32BE(length, 16);
    await expect(read(CODEC.snappy, input)).rejects.toMatchObject(refused);
  }
});

test('a codec that nobody knows is refused', async () => {
  await expect(read(5, TEXT)).rejects.toMatchObject(refused);
});
