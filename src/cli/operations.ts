import type { Observe } from '../event.ts';
import {
  createHealth,
  createLog,
  createMetrics,
  createObserver,
  installShutdown,
  type Log,
  openHttp,
} from '../ops/index.ts';
import { EXIT } from './exit.ts';

/** What is around a command that moves events. */
export interface Operations {
  readonly log: Log;
  readonly observe: Observe;
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Serves probes and metrics. */
  serve(http: { readonly host: string; readonly port: number }): Promise<void>;
  /** Closes something when these are closed, what came last first. */
  closeLater(close: () => unknown): void;
  close(): Promise<void>;
}

/** Log, metrics, probes and shutdown; `watch` gets every notice too. */
export function openOperations(options: {
  readonly level: string;
  readonly debug: boolean;
  readonly watch: readonly Observe[];
}): Operations {
  const { level, debug, watch } = options;
  const log = createLog({ level, debug });
  const metrics = createMetrics();
  const health = createHealth();
  const shutdown = installShutdown({ say: (message) => log.warn(message), lateCode: EXIT.halted });
  const closers: (() => unknown)[] = [health.close, shutdown.close];
  return {
    log,
    observe: createObserver({ log, metrics, watch: [health.watch, ...watch] }),
    signal: shutdown.signal,
    async serve(where) {
      const http = await openHttp({ ...where, metrics, health });
      closers.push(http.close);
      log.info({ host: http.host, port: http.port }, 'probes and metrics are served');
    },
    closeLater: (close) => closers.push(close),
    async close() {
      for (const close of closers.reverse()) await close();
    },
  };
}
