/**
 * Record batches (magic 2) of a fetch to records, in the place of kafkajs's decoder, which
 *
 * - tells nothing of a batch that compaction emptied, so that a reader asks for its offset for ever;
 * - loses a record with a header named like a member of Object, and is quadratic in headers;
 * - overflows the stack on large batches, and bounds the size of one batch but not of all in a fetch;
 * - checks no checksum.
 */
import { ClaimsealError } from '../errors.ts';
import { decompress, MAX_BATCH_BYTES } from './compression.ts';
import { crc32c } from './crc32c.ts';

/** A record as kafkajs passes it on; control records mark the ends of transactions and of batches. */
export interface FetchedMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Headers;
  readonly isControlRecord: boolean;
  readonly batchContext: BatchContext;
}

/** kafkajs's shape of headers: a repeated name has a list. Without a prototype, so that every name is just a name. */
export type Headers = Record<string, Buffer | null | (Buffer | null)[]>;

interface BatchContext {
  readonly producerId: string;
  readonly inTransaction: boolean;
}

/** What the batches of one answer may still take, in bytes; the one that goes beyond it is read whole. */
export interface Budget {
  bytes: number;
}

/** What a record takes besides its bytes. */
const RECORD_BYTES = 256;
/** No producer makes such batches: it is a bomb. */
const MAX_RECORDS = 1_000_000;

const OVERHEAD = 61;
const AT = {
  length: 8,
  magic: 16,
  crc: 17,
  attributes: 21,
  last: 23,
  first: 27,
  max: 35,
  producer: 43,
  count: 57,
};
const MAGIC = 2;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/**
 * The records of `bytes`, the record set of one partition; batches that no longer fit the budget are left for the next
 * fetch. A batch whose last records are gone ends in a control record at its last offset.
 * @throws ClaimsealError `kafka.compression`, `kafka.corrupt`, each with the batch's offset
 */
export async function decodeRecordSet(bytes: Buffer, budget: Budget): Promise<FetchedMessage[]> {
  const messages: FetchedMessage[] = [];
  // The broker cuts the last batch off where the fetch is full.
  for (let at = 0; at + AT.magic < bytes.length; ) {
    const end = at + AT.length + 4 + bytes.readInt32BE(at + AT.length);
    const magic = bytes.readInt8(at + AT.magic);
    if (magic !== MAGIC) throw corrupt(bytes.readBigInt64BE(at), `message format ${magic}, from before 0.11`);
    if (end - at < OVERHEAD) throw corrupt(bytes.readBigInt64BE(at), 'a shorter one');
    if (end > bytes.length) break;
    if (budget.bytes <= 0) break;
    await decodeBatch(bytes.subarray(at, end), messages, budget);
    at = end;
  }
  return messages;
}

async function decodeBatch(batch: Buffer, messages: FetchedMessage[], budget: Budget): Promise<void> {
  const base = batch.readBigInt64BE(0);
  if (crc32c(batch, AT.attributes) !== batch.readUInt32BE(AT.crc))
    throw corrupt(base, 'one whose checksum does not fit');

  const attributes = batch.readInt16BE(AT.attributes);
  const count = batch.readInt32BE(AT.count);
  if (count < 0 || count > MAX_RECORDS) throw corrupt(base, `${count} records`);
  const codec = attributes & CODEC;
  const packed = batch.subarray(OVERHEAD);
  const records =
    codec === 0 || count === 0
      ? packed
      : await decompress(codec, packed, { limit: MAX_BATCH_BYTES, offset: base });
  budget.bytes -= records.length + count * RECORD_BYTES;

  const context = {
    producerId: batch.readBigInt64BE(AT.producer).toString(),
    inTransaction: (attributes & TRANSACTIONAL) !== 0,
  };
  const isControlRecord = (attributes & CONTROL) !== 0;
  const first = batch.readBigInt64BE(AT.first);
  const appended = (attributes & LOG_APPEND_TIME) === 0 ? undefined : batch.readBigInt64BE(AT.max).toString();
  try {
    const reader = new Reader(records);
    for (let n = 0; n < count; n += 1) {
      const end = reader.varint() + reader.at;
      reader.at += 1; // attributes: none are in use
      const delta = reader.varlong();
      messages.push({
        timestamp: appended ?? (first + delta).toString(),
        offset: (base + BigInt(reader.varint())).toString(),
        key: reader.bytes(),
        value: reader.bytes(),
        headers: reader.headers(),
        isControlRecord,
        batchContext: context,
      });
      if (reader.at !== end) throw new RangeError('record length');
    }
    if (count > 0 && reader.at !== records.length) throw new RangeError('more records');
  } catch (cause) {
    throw corrupt(base, 'one whose records do not fit', cause);
  }
  const last = (base + BigInt(batch.readInt32BE(AT.last))).toString();
  if (count > 0 && messages.at(-1)?.offset === last) return;
  messages.push({
    ...{ offset: last, timestamp: first.toString(), key: null, value: null, headers: NO_HEADERS },
    ...{ isControlRecord: true, batchContext: context },
  });
}

function corrupt(offset: bigint, found: string, cause?: unknown): ClaimsealError {
  return new ClaimsealError('kafka.corrupt', `expected a record batch at offset ${offset}, found ${found}`, {
    place: { offset: offset.toString() },
    remedy: 'check the disks of the brokers; the group can be moved past the batch',
    cause,
  });
}

const NO_HEADERS: Headers = Object.freeze(Object.create(null));

/** Varints are zigzag base 128, as in protocol buffers. Reading past the end throws a RangeError. */
class Reader {
  readonly #from: Buffer;
  at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  varint(): number {
    let raw = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#from.readUInt8(this.at);
      this.at += 1;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
    throw new RangeError('varint');
  }

  varlong(): bigint {
    let raw = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#from.readUInt8(this.at);
      this.at += 1;
      raw |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >> 1n) ^ -(raw & 1n);
    }
    throw new RangeError('varlong');
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const end = this.at + length;
    if (end > this.#from.length) throw new RangeError('length');
    const bytes = this.#from.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  headers(): Headers {
    const count = this.varint();
    if (count === 0) return NO_HEADERS;
    const headers: Headers = Object.create(null);
    for (let n = 0; n < count; n += 1) {
      const name = this.bytes()?.toString() ?? '';
      const value = this.bytes();
      const before = headers[name];
      if (before === undefined) headers[name] = value;
      else if (Array.isArray(before)) before.push(value);
      else headers[name] = [before, value];
    }
    return headers;
  }
}
