/** Reads a JWKS file as it is now: its bytes, that it is gone, or why it cannot be read. */
import { constants, open } from 'node:fs/promises';

export type Reading =
  | { readonly state: 'read'; readonly bytes: Buffer }
  | { readonly state: 'gone' }
  | { readonly state: 'unreadable'; readonly reason: string };

/** Longest file that is read. A key takes some hundred bytes. */
const MAX_BYTES = 1024 * 1024;

/** A pipe without a writer would hold the reading up for ever; Windows has no such flag. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Follows symbolic links anew each time, so a set swapped by its link (as Kubernetes does with secrets) is seen.
 * Never throws.
 */
export async function readKeyFile(file: string): Promise<Reading> {
  try {
    const handle = await open(file, FLAGS);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) return { state: 'unreadable', reason: 'not a regular file' };
      if (stat.size > MAX_BYTES) {
        return { state: 'unreadable', reason: `the file has ${stat.size} bytes, more than ${MAX_BYTES}` };
      }
      return { state: 'read', bytes: await handle.readFile() };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
    // without the file there is no set, and that is obeyed; everything else may pass by itself
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { state: 'gone' }
      : { state: 'unreadable', reason: code };
  }
}
