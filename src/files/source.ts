import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import type { SourceRecord } from '../event.ts';
import type { Batch, Source } from '../pipeline.ts';
import { readLines } from './lines.ts';

/** Kafka's own value for a record without a timestamp. */
const NO_TIMESTAMP = '-1';
const READ_BYTES = 256 * 1024;

export interface FileSourceOptions {
  /** A path, or `-` for standard input. */
  readonly file: string;
  /** Ends the reading after the batch under way. */
  readonly signal?: AbortSignal;
}

/**
 * NDJSON as a source: one event a line. A record's coordinates are the file's name without its folder (`stdin`
 * for standard input), partition 0, and the line from 0, blank lines counted. Key null, no headers.
 * `run` rejects with `file.unreadable`.
 */
export function openFileSource({ file, signal }: FileSourceOptions): Source {
  const topic = file === '-' ? 'stdin' : basename(file);
  let stopped = false;
  let ended = Promise.resolve();
  const record = (number: number, value: Buffer): SourceRecord => ({
    topic,
    partition: 0,
    offset: String(number),
    timestamp: NO_TIMESTAMP,
    key: null,
    value,
    headers: [],
  });
  const run = async (each: (batch: Batch) => Promise<void>) => {
    const stream = openStream(file);
    try {
      for await (const lines of readLines(stream, file)) {
        if (stopped || signal?.aborted) break;
        await each({ topic, partition: 0, records: lines.map((line) => record(line.number, line.bytes)) });
      }
    } finally {
      stream.destroy();
    }
  };
  return {
    run(each) {
      const running = run(each);
      ended = running.catch(() => {});
      return running;
    },
    stop() {
      stopped = true;
      return ended;
    },
  };
}

/** The stream behind a file name. An error opening it shows at the first read. */
export function openStream(file: string): Readable {
  return file === '-' ? process.stdin : createReadStream(file, { highWaterMark: READ_BYTES });
}
