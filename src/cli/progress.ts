import { SingleBar } from 'cli-progress';
import type { Observe } from '../event.ts';

export interface Progress {
  /** Whether there is a bar to be drawn. */
  readonly wanted: boolean;
  /** Moves the bar by the events of each batch. */
  readonly watch: Observe;
  start(total: number, unit: string): void;
  stop(): void;
}

/**
 * A bar on standard error. Where that is no terminal, or `wanted` is false, nothing is drawn.
 */
export function createProgress(wanted: boolean): Progress {
  const bar = wanted && process.stderr.isTTY ? newBar() : undefined;
  let done = 0;
  let total = 0;
  return {
    wanted: bar !== undefined,
    watch(notice) {
      if (notice.type !== 'batch') return;
      done += notice.events;
      // The total is what was there at the start; what came since counts too.
      bar?.update(Math.min(done, total), { done });
    },
    start(expected, unit) {
      total = expected;
      bar?.start(total, 0, { unit, done });
    },
    stop() {
      bar?.update(total);
      bar?.stop();
    },
  };
}

function newBar(): SingleBar {
  return new SingleBar({
    stream: process.stderr,
    format: '{bar} {percentage}% | {done} {unit} | {duration_formatted}, {eta_formatted} left',
    hideCursor: true,
    clearOnComplete: false,
    fps: 5,
  });
}
