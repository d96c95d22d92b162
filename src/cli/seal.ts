import { createReadStream } from 'node:fs';
import type { Code } from '../errors.ts';
import type { Observe } from '../event.ts';
import { type FileSinkTarget, openFileSink, openFileSource, readLines } from '../files/index.ts';
import { createLog, createMetrics, createObserver, installShutdown } from '../ops/index.ts';
import { runPipeline } from '../pipeline.ts';
import { loadPolicy, openStages } from '../stages.ts';
import { EXIT, type ExitCode } from './exit.ts';
import type { Cli } from './program.ts';
import { createProgress } from './progress.ts';
import { listOption } from './run.ts';

interface SealOptions {
  readonly config: string;
  readonly in: string;
  readonly out: string;
  readonly audience?: readonly string[];
  readonly progress?: boolean;
}

/** `claimseal seal`: from a file to files, or pipe to pipe, by the same stages as `run`. Needs no Kafka. */
export function addSeal({ program, ends, debug }: Cli): void {
  program
    .command('seal')
    .description('seal events from NDJSON to NDJSON, without Kafka')
    .requiredOption('--config <file>', 'the configuration; its section kafka is not used')
    .option('--in <file>', 'events, one JSON object a line; - is standard input', '-')
    .requiredOption('--out <dir>', 'folder for one <topic>.ndjson a topic; - is standard output')
    .option('--audience <names>', 'only these audiences (A,B)', listOption)
    .option('--progress', 'draw a bar on standard error, on a terminal; reads the file twice')
    .option('--json', 'print errors as JSON')
    .addHelpText(
      'after',
      `
Writes lines {"topic","key","headers","value"}: UTF-8 text, else {"base64":".."}, or null. Bad events go sealed to
the quarantine's topic; then the exit code is 1.

Examples:
  claimseal seal --config claimseal.yaml --in events.ndjson --out sealed/
  zcat events.ndjson.gz | claimseal seal --config claimseal.yaml --out - > sealed.ndjson`,
    )
    .action(ends((options: SealOptions) => seal(options, debug())));
}

async function seal(options: SealOptions, debug: boolean): Promise<ExitCode> {
  const loaded = await loadPolicy(options.config);
  const progress = createProgress(options.progress === true && options.in !== '-');
  const log = createLog({ level: debug ? 'debug' : 'warn', debug });
  const count = createCount();
  const observe = createObserver({ log, metrics: createMetrics(), watch: [progress.watch, count.watch] });
  const shutdown = installShutdown({ say: (message) => log.warn(message), lateCode: EXIT.halted });
  const closers: (() => unknown)[] = [shutdown.close];
  try {
    const stages = await openStages(loaded, { audiences: options.audience, observe });
    closers.push(stages.close);
    const topics = [...stages.targets, ...(stages.quarantine === undefined ? [] : [stages.quarantine.topic])];
    const target: FileSinkTarget =
      options.out === '-' ? { stream: process.stdout } : { directory: options.out, topics };
    const sink = await openFileSink(target);
    closers.push(sink.close);
    const source = openFileSource({ file: options.in, signal: shutdown.signal });
    if (progress.wanted) progress.start(await countLines(options.in), 'events');
    await runPipeline(source, sink, stages);
    progress.stop();
    if (shutdown.signal.aborted) {
      // A part must not pass for the whole.
      process.stderr.write(`${count.text()}; stopped by a signal before the end\n`);
      return EXIT.halted;
    }
    await sink.finish();
    process.stderr.write(`${count.text()}\n`);
    return count.quarantined() > 0 ? EXIT.negative : EXIT.done;
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

function createCount() {
  let events = 0;
  const codes = new Map<Code, number>();
  const quarantined = () => [...codes.values()].reduce((sum, n) => sum + n, 0);
  const watch: Observe = (notice) => {
    if (notice.type === 'batch') events += notice.events;
    if (notice.type === 'quarantined') codes.set(notice.code, (codes.get(notice.code) ?? 0) + 1);
  };
  const text = () => {
    const list = [...codes].map(([code, n]) => `${code} ${n}`).join(', ');
    return `${events} events, ${quarantined()} of them quarantined${list === '' ? '' : ` (${list})`}`;
  };
  return { watch, text, quarantined };
}

async function countLines(file: string): Promise<number> {
  let count = 0;
  for await (const lines of readLines(createReadStream(file), file)) count += lines.length;
  return count;
}
