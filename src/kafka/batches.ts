/**
 * Outputs to transactions and sends. kafkajs makes one record batch of all messages for a partition in one
 * send, and a broker refuses a record batch over the topic's `max.message.bytes`; so sends are split by bytes.
 * All outputs of one source record stay in one transaction.
 */
import type { Output } from '../event.ts';

/** One call of `sendBatch`: at most one record batch a partition. */
export type Send = ReadonlyMap<string, readonly Output[]>;

/** One transaction: the outputs of source records up to `end` (exclusive index). */
export interface Chunk {
  readonly end: number;
  readonly sends: readonly Send[];
}

export interface BatchLimits {
  readonly maxBytes: (topic: string) => number;
  readonly partition: (output: Output) => number;
}

/** Records and bytes of one transaction; large enough to spread its round trips, small enough to lose little. */
const TRANSACTION_RECORDS = 2000;
const TRANSACTION_BYTES = 16 << 20;
/** kafkajs groups a send's messages in quadratic time. */
const SEND_MESSAGES = 1000;
/** Record batch header (61 bytes), rounded up. */
const BATCH_OVERHEAD = 128;

/** An upper bound of one record's bytes inside a record batch. */
export function recordBytes(output: Output): number {
  let bytes = 40 + (output.key?.length ?? 0) + (output.value?.length ?? 0);
  for (const [name, value] of output.headers) bytes += 10 + Buffer.byteLength(name) + value.length;
  return bytes;
}

/** Whether a record batch with this output alone stays within `maxBytes`. */
export function fits(output: Output, maxBytes: number): boolean {
  return recordBytes(output) + BATCH_OVERHEAD <= maxBytes;
}

/** Splits `outputs[i]`, those of the i-th source record, into transactions of sends. */
export function planChunks(outputs: readonly (readonly Output[])[], limits: BatchLimits): Chunk[] {
  const chunks: Chunk[] = [];
  let sends: Map<string, Output[]>[] = [];
  let send = new Map<string, Output[]>();
  let fill = new Map<string, number>();
  let messages = 0;
  let chunkBytes = 0;
  let chunkStart = 0;

  const closeSend = () => {
    if (send.size > 0) sends.push(send);
    send = new Map();
    fill = new Map();
    messages = 0;
  };
  for (const [index, group] of outputs.entries()) {
    for (const output of group) {
      const bytes = recordBytes(output);
      const slot = `${output.topic}/${limits.partition(output)}`;
      const filled = fill.get(slot) ?? BATCH_OVERHEAD;
      if (messages > 0 && (filled + bytes > limits.maxBytes(output.topic) || messages >= SEND_MESSAGES))
        closeSend();
      const list = send.get(output.topic);
      if (list) list.push(output);
      else send.set(output.topic, [output]);
      fill.set(slot, (fill.get(slot) ?? BATCH_OVERHEAD) + bytes);
      messages += 1;
      chunkBytes += bytes;
    }
    if (
      index + 1 - chunkStart >= TRANSACTION_RECORDS ||
      chunkBytes >= TRANSACTION_BYTES ||
      index === outputs.length - 1
    ) {
      closeSend();
      chunks.push({ end: index + 1, sends });
      sends = [];
      chunkBytes = 0;
      chunkStart = index + 1;
    }
  }
  return chunks;
}
