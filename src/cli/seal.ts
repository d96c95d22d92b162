import { createReadStream } from 'node:fs';
import type { Code } from '../errors.ts';
import type { Observe } from '../event.ts';
import { type FileSinkTarget, openFileSink, openFileSource, readLines } from '../files/index.ts';
import { runPipeline } from '../pipeline.ts';
import { loadPolicy, openStages } from '../stages.ts';
import { list } from './arguments.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { openOperations } from './operations.ts';
import type { Cli } from './program.ts';
import { createProgress } from './progress.ts';

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
    .option('--audience <names>', 'only these audiences (A,B)', list)
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
  const count = createCount();
  const watch = [progress.watch, count.watch];
  const { observe, signal, closeLater, close } = openOperations({
    level: debug ? 'debug' : 'warn',
    debug,
    watch,
  });
  try {
    const stages = await openStages(loaded, { audiences: options.audience, observe });
    closeLater(stages.close);
    const topics = [...stages.targets, ...(stages.quarantine === undefined ? [] : [stages.quarantine.topic])];
    const target: FileSinkTarget =
      options.out === '-' ? { stream: process.stdout } : { directory: options.out, topics };
    const sink = await openFileSink(target);
    closeLater(sink.close);
    const source = openFileSource({ file: options.in, signal });
    if (progress.wanted) progress.start(await countLines(options.in), 'events');
    await runPipeline(source, sink, stages);
    progress.stop();
    if (signal.aborted) {
      // A part must not pass for the whole.
      process.stderr.write(`${count.text()}; stopped by a signal before the end\n`);
      return EXIT.halted;
    }
    await sink.finish();
    process.stderr.write(`${count.text()}\n`);
    return count.quarantined() > 0 ? EXIT.negative : EXIT.done;
  } finally {
    await close();
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
