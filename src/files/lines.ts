import type { Readable } from 'node:stream';
import { ClaimsealError } from '../errors.ts';

export interface Line {
  /** From 0, counting every line. */
  readonly number: number;
  /** Without its line feed. */
  readonly bytes: Buffer;
}

/** What no line may exceed: the bytes held in memory to find its end. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * The lines of a stream, those of one chunk at a time. Lines of nothing but white space are left out, and counted.
 * @param name what errors call the stream
 * @throws ClaimsealError `file.unreadable`
 */
export async function* readLines(
  stream: Readable,
  name: string,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<readonly Line[]> {
  let number = 0;
  let begun: Buffer[] = [];
  let begunBytes = 0;
  const take = (rest: Buffer): Line => {
    const bytes = begun.length === 0 ? rest : Buffer.concat([...begun, rest]);
    begun = [];
    begunBytes = 0;
    return { number: number++, bytes };
  };
  const chunks = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch((cause: NodeJS.ErrnoException) => {
      throw new ClaimsealError('file.unreadable', `cannot be read (${cause.code ?? 'unknown'})`, {
        place: { file: name },
        remedy: 'check that it is a file that you may read',
        cause,
      });
    });
    if (next.done === true) break;
    const chunk = next.value as Buffer;
    const lines: Line[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      const line = take(chunk.subarray(from, end));
      if (!isBlank(line.bytes)) lines.push(line);
      from = end + 1;
    }
    if (from < chunk.length) {
      begun.push(chunk.subarray(from));
      begunBytes += chunk.length - from;
      if (begunBytes > maxBytes) {
        throw new ClaimsealError(
          'file.unreadable',
          `expected lines of at most ${maxBytes} bytes, found a longer one at line ${number + 1}`,
          { place: { file: name }, remedy: 'write one JSON value a line' },
        );
      }
    }
    if (lines.length > 0) yield lines;
  }
  if (begunBytes > 0) {
    const line = take(Buffer.alloc(0));
    if (!isBlank(line.bytes)) yield [line];
  }
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  return true;
}
