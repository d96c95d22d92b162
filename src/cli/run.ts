import { InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../errors.ts';
import { openKafka } from '../kafka/index.ts';
import {
  createHealth,
  createLog,
  createMetrics,
  createObserver,
  installShutdown,
  openHttp,
} from '../ops/index.ts';
import { runPipeline } from '../pipeline.ts';
import { loadPolicy, openStages } from '../stages.ts';
import { EXIT } from './exit.ts';
import type { Cli } from './program.ts';
import { createProgress } from './progress.ts';

interface RunOptions {
  readonly config: string;
  readonly untilEnd?: boolean;
  readonly audience?: readonly string[];
  readonly from?: 'earliest' | 'latest';
  readonly quarantineOffset: readonly string[];
  readonly acceptGap?: boolean;
  readonly progress?: boolean;
}

/** `claimseal run`: from the source topics to the audiences' topics until it is stopped. */
export function addRun({ program, ends, debug, reportTo }: Cli): void {
  program
    .command('run')
    .description('seal events from Kafka to Kafka until stopped (SIGTERM drains, commits and exits 0)')
    .requiredOption('--config <file>', 'the configuration')
    .option('--until-end', 'stop at the end offsets seen at the start')
    .option('--audience <names>', 'only these audiences (A,B), in a consumer group of their own', listOption)
    .addOption(
      new Option('--from <where>', 'where a group without offsets begins (kafka.start)').choices([
        'earliest',
        'latest',
      ]),
    )
    .option('--quarantine-offset <t/p/o>', 'set this record aside, unread; may be repeated', coordinates, [])
    .option('--accept-gap', 'go on behind records that retention removed')
    .option('--progress', 'draw a bar on standard error, with --until-end on a terminal')
    .option('--json', 'print errors as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  claimseal run --config claimseal.yaml\n  claimseal run --config claimseal.yaml --audience payroll --from earliest --until-end',
    )
    .action(
      ends(async (options: RunOptions) => {
        const loaded = await loadPolicy(options.config);
        const { config } = loaded;
        if (config.kafka === undefined) {
          throw new ConfigError(options.config, [
            {
              path: 'kafka',
              expected: 'brokers and a groupId',
              got: 'nothing',
              hint: '`seal` needs no Kafka',
            },
          ]);
        }
        const progress = createProgress(options.progress === true && options.untilEnd === true);
        const level = debug() ? 'debug' : progress.wanted ? 'warn' : config.log.level;
        const log = createLog({ level, debug: debug() });
        reportTo((error) => log.fatal({ err: error }, 'halted'));
        const metrics = createMetrics();
        const health = createHealth();
        const observe = createObserver({ log, metrics, watch: [health.watch, progress.watch] });
        const shutdown = installShutdown({ say: (message) => log.info(message), lateCode: EXIT.halted });
        const closers: (() => unknown)[] = [health.close, shutdown.close];
        try {
          observe({ type: 'state', state: 'starting' });
          if (config.http !== undefined) {
            const http = await openHttp({ ...config.http, metrics, health });
            log.info({ host: http.host, port: http.port }, 'probes and metrics are served');
            closers.push(http.close);
          }
          const stages = await openStages(loaded, {
            audiences: options.audience,
            setAside: new Set(options.quarantineOffset),
            observe,
          });
          closers.push(stages.close);
          const opening = openKafka({
            settings: { ...config.kafka, start: options.from ?? config.kafka.start },
            groupId: groupOf(config.kafka.groupId, options.audience),
            topics: {
              sources: config.source.topics,
              targets: stages.targets,
              quarantine: stages.quarantine?.topic,
              keyed: config.record.key !== 'drop',
            },
            untilEnd: options.untilEnd === true,
            acceptGap: options.acceptGap === true,
            observe,
            signal: shutdown.signal,
          });
          const kafka = await Promise.race([opening, aborted(shutdown.signal)]);
          // Told to stop while it waited for the broker: nothing was begun, so nothing is left undone.
          if (kafka === undefined) return EXIT.done;
          closers.push(kafka.close);
          const drain = () => {
            observe({ type: 'state', state: 'draining' });
            void kafka.source.stop();
          };
          if (kafka.total !== undefined) progress.start(kafka.total, 'events');
          observe({ type: 'state', state: 'running' });
          if (shutdown.signal.aborted) drain();
          else shutdown.signal.addEventListener('abort', drain, { once: true });
          await runPipeline(kafka.source, kafka.sink, stages);
          progress.stop();
          return EXIT.done;
        } finally {
          for (const close of closers.reverse()) await close();
          observe({ type: 'state', state: 'stopped' });
        }
      }),
    );
}

/** Each subset of audiences keeps its own offsets. */
function groupOf(groupId: string, audiences: readonly string[] | undefined): string {
  return audiences === undefined ? groupId : [groupId, ...audiences.toSorted()].join('.');
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** `A,B` as a list without repetition. */
export function listOption(text: string): readonly string[] {
  return [...new Set(text.split(',').map((name) => name.trim()))];
}

function coordinates(text: string, before: readonly string[]): readonly string[] {
  if (!/^[A-Za-z0-9._-]{1,249}\/\d{1,10}\/\d{1,19}$/.test(text)) {
    throw new InvalidArgumentError('expected topic/partition/offset.');
  }
  return [...before, text];
}
