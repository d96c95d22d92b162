import { Option } from 'commander';
import { ClaimsealError, ConfigError } from '../errors.ts';
import { openKafka } from '../kafka/index.ts';
import { runPipeline } from '../pipeline.ts';
import { type Loaded, loadPolicy, openStages } from '../stages.ts';
import { list, moreCoordinates } from './arguments.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { type Operations, openOperations } from './operations.ts';
import type { Cli } from './program.ts';
import { createProgress, type Progress } from './progress.ts';

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
export function addRun(cli: Cli): void {
  cli.program
    .command('run')
    .description('seal events from Kafka to Kafka until stopped (SIGTERM drains, commits and exits 0)')
    .requiredOption('--config <file>', 'the configuration')
    .option('--until-end', 'stop at the end offsets seen at the start')
    .option('--audience <names>', 'only these audiences (A,B), in a consumer group of their own', list)
    .addOption(
      new Option('--from <where>', 'where a group without offsets begins (kafka.start)').choices([
        'earliest',
        'latest',
      ]),
    )
    .option(
      '--quarantine-offset <t/p/o>',
      'set this record aside, unread; may be repeated',
      moreCoordinates,
      [],
    )
    .option('--accept-gap', 'go on behind records that retention removed')
    .option('--progress', 'draw a bar on standard error, with --until-end on a terminal')
    .option('--json', 'print errors as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  claimseal run --config claimseal.yaml\n  claimseal run --config claimseal.yaml --audience payroll --from earliest --until-end',
    )
    .action(cli.ends((options: RunOptions) => run(options, cli)));
}

async function run(options: RunOptions, { debug, reportTo }: Cli): Promise<ExitCode> {
  const loaded = await loadPolicy(options.config);
  const progress = createProgress(options.progress === true && options.untilEnd === true);
  // A bar and lines would write over each other.
  const level = debug() ? 'debug' : progress.wanted ? 'warn' : loaded.config.log.level;
  const operations = openOperations({ level, debug: debug(), watch: [progress.watch] });
  reportTo((error) => operations.log.fatal({ err: error }, 'halted'));
  try {
    operations.observe({ type: 'state', state: 'starting' });
    if (loaded.config.http !== undefined) await operations.serve(loaded.config.http);
    return await stream(options, loaded, operations, progress);
  } finally {
    await operations.close();
    operations.observe({ type: 'state', state: 'stopped' });
  }
}

async function stream(
  options: RunOptions,
  loaded: Loaded,
  { observe, signal, closeLater }: Operations,
  progress: Progress,
): Promise<ExitCode> {
  const { source, record } = loaded.config;
  const settings = kafkaOf(options, loaded);
  requireSources(options.quarantineOffset, source.topics);
  const stages = await openStages(loaded, {
    audiences: options.audience,
    setAside: new Set(options.quarantineOffset),
    observe,
  });
  closeLater(stages.close);
  const opening = openKafka({
    settings,
    groupId: groupOf(settings.groupId, options.audience),
    topics: {
      sources: source.topics,
      targets: stages.targets,
      quarantine: stages.quarantine?.topic,
      keyed: record.key !== 'drop',
    },
    untilEnd: options.untilEnd === true,
    acceptGap: options.acceptGap === true,
    observe,
    signal,
  });
  const kafka = await Promise.race([opening, aborted(signal)]);
  // Told to stop while it waited for the broker: no event was read.
  if (kafka === undefined) return EXIT.done;
  closeLater(kafka.close);
  const drain = () => {
    observe({ type: 'state', state: 'draining' });
    void kafka.source.stop();
  };
  if (kafka.total !== undefined) progress.start(kafka.total, 'events');
  observe({ type: 'state', state: 'running' });
  if (signal.aborted) drain();
  else signal.addEventListener('abort', drain, { once: true });
  await runPipeline(kafka.source, kafka.sink, stages);
  progress.stop();
  return EXIT.done;
}

function kafkaOf({ config: file, from }: RunOptions, { config: { kafka } }: Loaded) {
  if (kafka !== undefined) return { ...kafka, start: from ?? kafka.start };
  throw new ConfigError(file, [
    { path: 'kafka', expected: 'brokers and a groupId', got: 'nothing', hint: '`seal` needs no Kafka' },
  ]);
}

/** A record of another topic would never be met, and the one that halts the stream would halt it again. */
function requireSources(setAside: readonly string[], topics: readonly string[]): void {
  const stray = setAside.find((record) => !topics.includes(record.slice(0, record.indexOf('/'))));
  if (stray === undefined) return;
  throw new ClaimsealError(
    'config.invalid',
    `--quarantine-offset: expected a record of a source topic, found ${stray}`,
    {
      remedy: `name one of ${topics.join(', ')}, as the error that halted did`,
    },
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
