import { type FileHandle, link, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { ClaimsealError } from '../errors.ts';
import type { Output } from '../event.ts';
import type { Sink } from '../pipeline.ts';
import { formatOutputLine } from './output-line.ts';

export interface FileSink extends Sink {
  /** Makes what was written whole and durable, under its final names. */
  finish(): Promise<void>;
  /** Removes what was written, unless it is finished. */
  close(): Promise<void>;
}

/** Where outputs go: a folder, made where it is missing, or a stream. */
export type FileSinkTarget =
  | { readonly directory: string; readonly topics: readonly string[] }
  | { readonly stream: Writable };

/**
 * Outputs as lines. In a folder: one `<topic>.ndjson` a topic, also for a topic that gets nothing; written under
 * another name until `finish`, so that nobody takes a part for the whole. Never overwrites.
 * @param target.topics every topic that an output may go to
 * @throws ClaimsealError `file.unwritable`, also from `deliver` and `finish` (a full disk)
 */
export async function openFileSink(target: FileSinkTarget): Promise<FileSink> {
  return 'stream' in target ? toStream(target.stream) : toFolder(target.directory, target.topics);
}

function toStream(stream: Writable): FileSink {
  return {
    admit() {},
    async deliver(_batch, outputs) {
      const text = outputs.flat().map(formatOutputLine).join('');
      if (text === '') return;
      await new Promise<void>((written, fail) => {
        stream.write(text, (error) => (error ? fail(unwritable('-', error)) : written()));
      });
    },
    async finish() {},
    async close() {},
  };
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly part: string;
  readonly final: string;
}

async function toFolder(directory: string, topics: readonly string[]): Promise<FileSink> {
  const files = new Map<string, OpenFile>();
  let finished = false;
  const close = async () => {
    for (const { handle, part } of files.values()) {
      await handle.close().catch(() => {});
      if (!finished) await unlink(part).catch(() => {});
    }
    files.clear();
  };
  await mkdir(directory, { recursive: true }).catch((cause) => {
    throw unwritable(directory, cause);
  });
  try {
    for (const topic of topics) files.set(topic, await openFile(directory, topic));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    admit() {},
    async deliver(_batch, outputs) {
      const texts = new Map<string, string[]>();
      for (const output of outputs.flat()) linesOf(texts, output).push(formatOutputLine(output));
      for (const [topic, lines] of texts) {
        const { handle, final } = files.get(topic)!;
        await handle.appendFile(lines.join('')).catch((cause) => {
          throw unwritable(final, cause);
        });
      }
    },
    async finish() {
      const all = [...files.values()];
      for (const { handle, final } of all) {
        await handle.sync().catch((cause) => {
          throw unwritable(final, cause);
        });
      }
      const placed: string[] = [];
      try {
        for (const { part, final } of all) {
          await place(part, final);
          placed.push(final);
        }
      } catch (error) {
        // All topics or none: these names are ours, since placing never replaces.
        for (const final of placed) await unlink(final).catch(() => {});
        throw error;
      }
      await syncFolder(directory);
      finished = true;
    },
    close,
  };
}

async function openFile(directory: string, topic: string): Promise<OpenFile> {
  const final = join(directory, `${topic}.ndjson`);
  const part = join(directory, `.${topic}.ndjson.${process.pid}`);
  await refuseExisting(final);
  const handle = await open(part, 'wx', 0o644).catch((cause) => {
    throw unwritable(final, cause);
  });
  return { handle, part, final };
}

/** Gives a file its final name, which a file made meanwhile keeps. */
async function place(part: string, final: string): Promise<void> {
  try {
    await link(part, final);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (!NO_LINKS.has(code)) {
      if (code === 'EEXIST') await refuseExisting(final);
      throw unwritable(final, cause);
    }
    await refuseExisting(final);
    await rename(part, final).catch((error) => {
      throw unwritable(final, error);
    });
    return;
  }
  await unlink(part).catch(() => {});
}

/** What file systems without hard links answer. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Makes the names durable as well; where folders cannot be synced, the file system does it in its own time. */
async function syncFolder(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function refuseExisting(final: string): Promise<void> {
  const found = await stat(final).catch(() => undefined);
  if (found === undefined) return;
  throw new ClaimsealError('file.unwritable', 'expected no file of this name, found one', {
    place: { file: final },
    remedy: 'give another folder, or move the file away: nothing is overwritten',
  });
}

function linesOf(texts: Map<string, string[]>, { topic }: Output): string[] {
  const known = texts.get(topic);
  if (known !== undefined) return known;
  const lines: string[] = [];
  texts.set(topic, lines);
  return lines;
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'free space on the disk, then start again: no part is left behind',
  EDQUOT: 'raise the quota, then start again: no part is left behind',
  ENOTDIR: 'name a folder',
  EEXIST: 'name a folder',
};

function unwritable(file: string, cause: unknown): ClaimsealError {
  if (cause instanceof ClaimsealError) return cause;
  const { code = 'unknown' } = cause as NodeJS.ErrnoException;
  return new ClaimsealError('file.unwritable', `cannot be written (${code})`, {
    place: { file },
    remedy: REMEDIES[code] ?? 'name a folder that you may write to',
    cause,
  });
}
