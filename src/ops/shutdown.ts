import { constants } from 'node:os';

export interface Shutdown {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Takes the handlers off; the drain is over. */
  close(): void;
}

export interface ShutdownOptions {
  /** How long draining may take. */
  readonly limitMs?: number;
  /** Says one sentence to the operator. */
  readonly say: (message: string) => void;
  /** Exit code when draining took too long. */
  readonly lateCode: number;
  readonly exit?: (code: number) => void;
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * The first SIGTERM or SIGINT asks for a drain by aborting `signal`; the second exits at once with 128 plus the
 * signal's number. A drain that takes longer than `limitMs` (10 s) is ended, says so and exits not zero: what
 * was not committed comes again.
 */
export function installShutdown(options: ShutdownOptions): Shutdown {
  const { limitMs = 10_000, say, lateCode, exit = (code: number) => process.exit(code) } = options;
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      exit(128 + constants.signals[name]);
      return;
    }
    say(`${name}: draining; again to exit at once`);
    timer = setTimeout(() => {
      say(`not drained within ${limitMs / 1000} s: exiting; what was not committed comes again`);
      exit(lateCode);
    }, limitMs);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);

  return {
    signal: controller.signal,
    close() {
      clearTimeout(timer);
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
