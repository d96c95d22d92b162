/**
 * Decompression of record batches, which stops at a limit of output: a batch of a few kilobytes could fill the
 * memory. Reading only: claimseal produces uncompressed batches, since most of their bytes are ciphertext.
 */
import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { decompressBound, decompressFrame } from 'lz4js';
import { uncompress } from 'snappyjs';
import { ClaimsealError } from '../errors.ts';

/** Far above what brokers let through: `max.message.bytes` is 1 MiB, and identity events shrink tenfold. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024;

type Decode = (input: Buffer, limit: number) => Buffer | Promise<Buffer>;

/**
 * The records of a compressed batch.
 * @param codec number of the codec in the batch's attributes
 * @param batch most bytes of output, and the batch's offset for the error
 * @throws ClaimsealError `kafka.compression`
 */
export async function decompress(
  codec: number,
  input: Buffer,
  { limit, offset }: { readonly limit: number; readonly offset: bigint },
): Promise<Buffer> {
  const [name, decode] = CODECS[codec] ?? ['unknown', unknown];
  try {
    return await decode(input, limit);
  } catch (cause) {
    throw new ClaimsealError(
      'kafka.compression',
      `expected a ${name} record batch of at most ${limit} bytes once decompressed, found a larger or a damaged one at offset ${offset}`,
      {
        place: { offset: offset.toString() },
        remedy: 'let the producer send smaller batches, or move the group past the batch',
        cause,
      },
    );
  }
}

const unknown: Decode = () => {
  throw new RangeError('codec');
};

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

/** By their numbers in a batch's attributes. */
const CODECS: Readonly<Record<number, readonly [name: string, decode: Decode]>> = {
  1: ['gzip', gunzip],
  2: ['snappy', snappy],
  3: ['lz4', lz4],
  4: ['zstd', zstd],
};
