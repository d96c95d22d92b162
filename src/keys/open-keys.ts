/** Reads the key sets of all audiences, keeps reading them, and gives out the keys chosen. */
import { ClaimsealError } from '../errors.ts';
import type { KeySnapshot, Observe, RecipientKey } from '../event.ts';
import type { Keys } from '../pipeline.ts';
import { readKeyFile } from './key-file.ts';
import { KeySet, type KeySource, type Parse } from './key-set.ts';

export interface KeysOptions {
  readonly audiences: readonly KeySource[];
  /** Parses and checks a JWK Set: the seal room's. */
  readonly parse: Parse;
  readonly observe: Observe;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Aborting it closes. */
  readonly signal?: AbortSignal;
}

export interface OpenKeys extends Keys {
  /** Reads every file now and resolves when all are taken in. */
  refresh(): Promise<void>;
  /** Stops reading. What was read last stays. */
  close(): void;
}

/**
 * Opens the key sets of `audiences` and re-reads each file every `refreshMs`.
 *
 * `current()` gives the key chosen for each audience, the same object while nothing changed. It throws `keys.none`
 * when an audience's set has no fitting key or its file is gone, `keys.stale` when the set last read is too old.
 * @throws ClaimsealError `keys.unreadable` when a set cannot be read or parsed at the start.
 */
export async function openKeys(options: KeysOptions): Promise<OpenKeys> {
  const { parse, observe, now, signal } = options;
  const sets = options.audiences.map((source) => new KeySet(source, parse, observe));
  for (const set of sets) set.begin(await readKeyFile(set.source.file), now());

  const poller = new AbortController();
  const pollers = sets.map((set) => poll(set, now, poller.signal));
  const close = () => poller.abort();
  if (signal?.aborted) close();
  signal?.addEventListener('abort', close, { once: true, signal: poller.signal });

  let snapshot: KeySnapshot | undefined;
  return {
    current() {
      const nowMs = now();
      const chosen: [aud: string, key: RecipientKey][] = [];
      const failures: ClaimsealError[] = [];
      for (const set of sets) {
        const key = set.choose(nowMs);
        if (key instanceof ClaimsealError) failures.push(key);
        else chosen.push([set.source.aud, key]);
      }
      const [first, ...others] = failures;
      if (first !== undefined) throw together(first, others);
      if (snapshot === undefined || chosen.some(([aud, key]) => snapshot?.get(aud) !== key)) {
        snapshot = new Map(chosen);
      }
      return snapshot;
    },
    async refresh() {
      await Promise.all(pollers.map((read) => read()));
    },
    close,
  };
}

/** Several audiences' troubles as one error: the first one's code, place and remedy, all messages. */
function together(first: ClaimsealError, others: readonly ClaimsealError[]): ClaimsealError {
  if (others.length === 0) return first;
  const { code, place, remedy } = first;
  return new ClaimsealError(code, [first, ...others].map(({ message }) => message).join('\n'), {
    place,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** Reads a set's file now and again until `signal` aborts; returns the reading at once, which joins one under way. */
function poll(set: KeySet, now: () => number, signal: AbortSignal): () => Promise<void> {
  let underWay: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const read = (): Promise<void> => {
    underWay ??= readKeyFile(set.source.file)
      .then((reading) => {
        if (!signal.aborted) set.take(reading, now());
      })
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };
  const schedule = () => {
    if (signal.aborted) return;
    timer = setTimeout(() => void read().finally(schedule), set.source.refreshMs);
    // a pipeline keeps the process alive, reading keys does not
    timer.unref();
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  schedule();
  return read;
}
