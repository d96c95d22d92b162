import type { Notice, Observe } from '../event.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface ObserverOptions {
  readonly log: Pick<Log, 'debug' | 'info' | 'warn'>;
  readonly metrics: Pick<Metrics, 'count'>;
  /** Others that learn from notices: probes, a progress bar. */
  readonly watch?: readonly Observe[];
  readonly summaryMs?: number;
}

/** Lines a window for one kind of trouble; all of it is counted. */
const LINES_A_WINDOW = 3;

type Of<T extends Notice['type']> = Extract<Notice, { type: T }>;

/**
 * Makes of one notice the log line and the metric, so that the two agree. A state change is one line; what
 * comes by the event is told every `summaryMs` (30 s) unless nothing happened; trouble that repeats gets a few
 * lines a window. The last summary is written with the notice `stopped`, which also ends the timer.
 *
 * @returns takes notices; never throws
 */
export function createObserver(options: ObserverOptions): Observe {
  const { log, metrics, watch = [], summaryMs = 30_000 } = options;
  const lines = new Map<string, number>();
  let totals = noTotals();
  const lags = new Map<string, number>();

  const summarize = () => {
    lines.clear();
    if (totals.events === 0 && totals.quarantined.size === 0) return;
    const { events, unmatched, sealed, quarantined } = totals;
    totals = noTotals();
    let lag = 0;
    for (const n of lags.values()) lag += n;
    log.info(
      {
        events,
        sealed: Object.fromEntries(sealed),
        quarantined: Object.fromEntries(quarantined),
        unmatched,
        ...(lags.size === 0 ? {} : { lag }),
      },
      'summary',
    );
  };
  const timer = setInterval(summarize, summaryMs).unref();

  /** Whether a line of this kind may still be written in this window; the last one says that it is. */
  const mayTell = (kind: string): { more?: string } | undefined => {
    const told = (lines.get(kind) ?? 0) + 1;
    lines.set(kind, told);
    if (told > LINES_A_WINDOW) return undefined;
    return told === LINES_A_WINDOW ? { more: `counted, not logged, for up to ${summaryMs / 1000} s` } : {};
  };

  const tellBatch = (notice: Of<'batch'>) => {
    totals.events += notice.events;
    totals.unmatched += notice.unmatched;
    for (const [name, n] of notice.sealed) totals.sealed.set(name, (totals.sealed.get(name) ?? 0) + n);
  };

  const tellQuarantined = ({ type: _, ...fields }: Of<'quarantined'>) => {
    totals.quarantined.set(fields.code, (totals.quarantined.get(fields.code) ?? 0) + 1);
    const line = mayTell(`quarantined ${fields.code}`);
    if (line !== undefined) log.warn({ ...fields, ...line }, 'record quarantined');
  };

  const tellKey = ({ type: _, change, ...fields }: Of<'key'>) => {
    if (change === 'refused' || change === 'gone') log.warn(fields, `recipient key ${change}`);
    else log.info(fields, `recipient key ${change}`);
  };

  const tellAssigned = ({ partitions }: Of<'assigned'>) => {
    const names = partitions.map(({ topic, partition }) => `${topic}/${partition}`);
    for (const name of lags.keys()) if (!names.includes(name)) lags.delete(name);
    log.info({ partitions: names }, 'assigned');
  };

  const tellState = ({ state }: Of<'state'>) => {
    if (state === 'stopped') {
      clearInterval(timer);
      summarize();
    }
    log.info({ state }, state);
  };

  const tell = (notice: Notice): void => {
    switch (notice.type) {
      case 'state':
        tellState(notice);
        break;
      case 'policy':
        log.info({ digest: notice.digest, audiences: notice.audiences }, 'policy in force');
        break;
      case 'batch':
        tellBatch(notice);
        break;
      case 'quarantined':
        tellQuarantined(notice);
        break;
      case 'key':
        tellKey(notice);
        break;
      case 'keysStale': {
        const { type: _, ...fields } = notice;
        const line = mayTell(`stale ${notice.audience}`);
        if (line !== undefined)
          log.warn({ ...fields, ...line }, 'key set cannot be read: the last good one stays');
        break;
      }
      case 'contentKey': {
        const { type: _, change, ...fields } = notice;
        log.debug(fields, `content key ${change}`);
        break;
      }
      case 'assigned':
        tellAssigned(notice);
        break;
      case 'session': {
        const { type: _, change, ...fields } = notice;
        log.debug(fields, `session ${change}`);
        break;
      }
      case 'lag':
        lags.set(`${notice.topic}/${notice.partition}`, notice.lag);
        break;
      case 'retry': {
        const { type: _, ...fields } = notice;
        const line = mayTell(`retry ${notice.code}`);
        if (line !== undefined) log.warn({ ...fields, ...line }, 'trying again');
        break;
      }
      case 'warning':
        log.warn({}, notice.message);
        break;
    }
  };

  const takers: readonly Observe[] = [metrics.count, tell, ...watch];
  return (notice) => {
    for (const take of takers) {
      try {
        take(notice);
      } catch {
        // A broken log or metric must not stop events, nor keep the next taker from its notice.
      }
    }
  };
}

function noTotals() {
  return {
    events: 0,
    unmatched: 0,
    sealed: new Map<string, number>(),
    quarantined: new Map<string, number>(),
  };
}
