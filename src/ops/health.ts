import type { Notice, Observe } from '../event.ts';

export interface Health {
  /** Learns from notices how things stand. Never throws. */
  readonly watch: Observe;
  /** Whether the event loop turns. */
  alive(): boolean;
  /** Running, assigned, and not failing for long; else why not. */
  ready(): { readonly ready: boolean; readonly reason: string };
  close(): void;
}

export interface HealthOptions {
  /** Monotonic, ms. */
  readonly now?: () => number;
  /** Retries without a success in between, before /readyz says 503. */
  readonly retryingMs?: number;
  /** Without a retry for so long, and without an event to prove it, what failed is taken to work again. */
  readonly quietMs?: number;
  /** How long the event loop may have been held, before /livez says 500. */
  readonly wedgedMs?: number;
}

const TICK_MS = 1000;

/**
 * What the probes answer, from the same notices as the log. A loop that is held answers no probe at all, which
 * an orchestrator takes as a failure; `alive` adds the loop that turns only now and then.
 */
export function createHealth(options: HealthOptions = {}): Health {
  const { now = () => performance.now(), retryingMs = 60_000, quietMs = 60_000, wedgedMs = 10_000 } = options;
  let state: Extract<Notice, { type: 'state' }>['state'] = 'starting';
  let assigned = false;
  let retrying: { readonly since: number; last: number } | undefined;

  let ticked = now();
  let held = 0;
  const tick = () => {
    held = now() - ticked - TICK_MS;
    ticked = now();
  };
  const timer = setInterval(tick, TICK_MS).unref();

  const watch = (notice: Notice): void => {
    switch (notice.type) {
      case 'state':
        state = notice.state;
        break;
      case 'assigned':
        // A member may be left without partitions: it is ready to take over, so that counts.
        assigned = true;
        retrying = undefined;
        break;
      case 'retry':
        if (retrying === undefined || now() - retrying.last > quietMs)
          retrying = { since: now(), last: now() };
        else retrying.last = now();
        break;
      case 'batch':
        retrying = undefined;
        break;
    }
  };

  return {
    watch,
    alive: () => Math.max(held, now() - ticked - TICK_MS) < wedgedMs,
    ready() {
      if (state !== 'running') return { ready: false, reason: state };
      if (!assigned) return { ready: false, reason: 'not assigned yet' };
      if (retrying !== undefined && now() - retrying.last <= quietMs && now() - retrying.since > retryingMs) {
        return { ready: false, reason: 'retrying' };
      }
      return { ready: true, reason: 'ready' };
    },
    close: () => clearInterval(timer),
  };
}
