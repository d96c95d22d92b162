/**
 * Decompression of record batches. kafkajs itself knows gzip only, and inflates without limit: a batch of a few
 * kilobytes could fill the memory. Every codec here stops at a limit of output. Reading only: claimseal produces
 * uncompressed batches, since most of their bytes are ciphertext.
 */
import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import type { CompressionTypes as Types } from 'kafkajs';
import { decompressBound, decompressFrame } from 'lz4js';
import { uncompress } from 'snappyjs';
import { ClaimsealError } from '../errors.ts';

/** Far above what brokers let through: `max.message.bytes` is 1 MiB, and identity events shrink tenfold. */
const LIMIT_BYTES = 64 * 1024 * 1024;

/** kafkajs's table: a factory for each number that a batch's attributes may hold. */
export type Codecs = Record<number, () => { decompress(input: Buffer): Promise<Buffer> }>;

type Decode = (input: Buffer, limit: number) => Buffer | Promise<Buffer>;

/**
 * Teaches a loaded kafkajs to read gzip, snappy, lz4 and zstd. Its codec table is an argument: importing kafkajs
 * here would load it before it is mended.
 */
export function registerCompression(codecs: Codecs, types: typeof Types, limit = LIMIT_BYTES): void {
  const decoders: readonly (readonly [Types, string, Decode])[] = [
    [types.GZIP, 'gzip', gunzip],
    [types.Snappy, 'snappy', snappy],
    [types.LZ4, 'lz4', lz4],
    [types.ZSTD, 'zstd', zstd],
  ];
  for (const [type, name, decode] of decoders) {
    codecs[type] = () => ({
      compress: () => Promise.reject(new TypeError('claimseal never compresses')),
      decompress: async (input: Buffer) => {
        try {
          return await decode(input, limit);
        } catch (error) {
          throw unreadable(name, limit, error);
        }
      },
    });
  }
}

function unreadable(codec: string, limit: number, cause: unknown): ClaimsealError {
  return new ClaimsealError(
    'kafka.compression',
    `expected a ${codec} record batch of at most ${limit} bytes once decompressed, found a larger or a damaged one`,
    { remedy: 'let the producer send smaller batches, or move the group past the batch', cause },
  );
}

const gunzip: Decode = (input, maxOutputLength) => promisify(unzip)(input, { maxOutputLength });

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

/** Java frames snappy as blocks with a length before each (the xerial format); others send one bare block. */
const snappy: Decode = (input, limit) => {
  if (!input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return uncompress(input, limit);
  const blocks: Buffer[] = [];
  let room = limit;
  for (let at = XERIAL_HEADER_BYTES; at < input.length; ) {
    const from = at + 4;
    at = from + input.readInt32BE(at);
    if (at <= from || at > input.length) throw new RangeError('block length');
    const block = uncompress(input.subarray(from, at), room);
    room -= block.length;
    blocks.push(block);
  }
  return Buffer.concat(blocks);
};

const LZ4_FLAGS_AT = 4;
const LZ4_BLOCK_CHECKSUM = 0x10;

/** The frame format. lz4js misreads frames with a checksum after each block, which no Kafka client writes. */
const lz4: Decode = (input, limit) => {
  if ((input.readUInt8(LZ4_FLAGS_AT) & LZ4_BLOCK_CHECKSUM) !== 0) throw new RangeError('block checksums');
  const bound = decompressBound(input);
  if (!(bound >= 0 && bound <= limit)) throw new RangeError('output limit');
  const output = Buffer.alloc(bound);
  return output.subarray(0, decompressFrame(input, output));
};

const zstd: Decode = (input, limit) => {
  const blocks: Buffer[] = [];
  let room = limit;
  const stream = new Decompress((block) => {
    room -= block.length;
    if (room < 0) throw new RangeError('output limit');
    blocks.push(Buffer.from(block));
  });
  stream.push(input, true);
  return Buffer.concat(blocks);
};
