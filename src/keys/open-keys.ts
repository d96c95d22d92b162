/** Reads the key sets of all audiences, keeps reading them, and gives out the keys chosen. */
import { setTimeout as delay } from 'node:timers/promises';
import { ClaimsealError } from '../errors.ts';
import type { KeySnapshot, Observe, RecipientKey } from '../event.ts';
import type { Keys } from '../pipeline.ts';
import { type Reading, readKeyFile } from './key-file.ts';
import { type Instant, KeySet, type KeySource, type Parse } from './key-set.ts';

export interface KeysOptions {
  readonly audiences: readonly KeySource[];
  /** Parses and checks a JWK Set: the seal room's. */
  readonly parse: Parse;
  readonly observe: Observe;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds that nobody sets back; `performance.now` unless given. */
  readonly steady?: () => number;
  /** Aborting it closes. */
  readonly signal?: AbortSignal;
  /** Reads what is at a path; `readKeyFile` unless given. */
  readonly read?: (file: string) => Promise<Reading>;
  /** A reading that takes longer counts as unreadable, so that the set goes stale; 10 s unless given. */
  readonly answerMs?: number;
}

const ANSWER_MS = 10_000;

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
  const { parse, observe, signal, read = readKeyFile, answerMs = ANSWER_MS } = options;
  const { now: wall, steady = () => performance.now() } = options;
  const now = (): Instant => ({ wallMs: wall(), steadyMs: steady() });
  const sets = options.audiences.map((source) => ({
    set: new KeySet(source, parse, observe),
    ask: patient(() => read(source.file), answerMs),
  }));
  for (const { set, ask } of sets) set.begin(await ask(), now());

  const poller = new AbortController();
  const pollers = sets.map(({ set, ask }) => poll(set, ask, now, poller.signal));
  const close = () => poller.abort();
  if (signal?.aborted) close();
  signal?.addEventListener('abort', close, { once: true, signal: poller.signal });

  let snapshot: KeySnapshot | undefined;
  return {
    current() {
      const at = now();
      const chosen: [aud: string, key: RecipientKey][] = [];
      const failures: ClaimsealError[] = [];
      for (const { set } of sets) {
        const key = set.choose(at);
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

/** `read`, or after `answerMs` that there is no answer. One that hangs is not asked a second time: it holds a thread. */
function patient(read: () => Promise<Reading>, answerMs: number): () => Promise<Reading> {
  let asked: Promise<Reading> | undefined;
  return () => {
    asked ??= read().finally(() => {
      asked = undefined;
    });
    return within(answerMs, asked);
  };
}

function within(answerMs: number, asked: Promise<Reading>): Promise<Reading> {
  const answered = new AbortController();
  const none = delay(answerMs, undefined, { ref: false, signal: answered.signal }).then(
    (): Reading => ({ state: 'unreadable', reason: `no answer in ${answerMs} ms` }),
  );
  none.catch(() => {}); // answered
  return Promise.race([asked, none]).finally(() => answered.abort());
}

/** Asks now and again until `signal` aborts; returns the asking, which joins one under way. */
function poll(
  set: KeySet,
  ask: () => Promise<Reading>,
  now: () => Instant,
  signal: AbortSignal,
): () => Promise<void> {
  let underWay: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const take = (): Promise<void> => {
    underWay ??= ask()
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
    timer = setTimeout(() => void take().finally(schedule), set.source.refreshMs);
    // a pipeline keeps the process alive, reading keys does not
    timer.unref();
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  schedule();
  return take;
}
