#!/usr/bin/env node
/**
 * argv -> exit code. Each command has a file of its own; this one holds the only catch of the cli, so that every
 * error is shown the same way: code, place, message, remedy, on standard error.
 */
import { Command, CommanderError } from 'commander';
import { asClaimsealError, ClaimsealError } from '../errors.ts';
import { VERSION } from '../ops/index.ts';
import { addCheck } from './check.ts';
import { EXIT, EXIT_HELP, type ExitCode, exitCodeOf } from './exit.ts';
import { addExplain } from './explain.ts';
import { addKeygen } from './keygen.ts';
import { addOpen } from './open.ts';
import type { Cli } from './program.ts';
import { errorJson, errorText } from './render.ts';
import { addRun } from './run.ts';
import { addSeal } from './seal.ts';

/** Asked for before argv is parsed, since parsing may fail. */
const asJson = process.argv.includes('--json');
const debug = process.argv.includes('--debug');
const reports: ((error: unknown) => void)[] = [];

async function main(argv: readonly string[]): Promise<ExitCode> {
  let ended: ExitCode = EXIT.done;
  const program = new Command('claimseal')
    .description(
      'Seals the sensitive claims of identity events on Kafka into JWE, one for each audience that may read them.',
    )
    .version(VERSION)
    .option('--debug', 'add stack frames to errors and debug lines to the log')
    .showHelpAfterError('(--help shows what is expected)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .addHelpText(
      'after',
      `${EXIT_HELP}\n\nExample:\n  claimseal check --config claimseal.yaml && claimseal run --config claimseal.yaml`,
    );
  const cli: Cli = {
    program,
    debug: () => debug,
    reportTo: (report) => reports.push(report),
    ends:
      (action) =>
      async (...args) => {
        ended = await action(...args);
      },
  };
  for (const add of [addRun, addSeal, addOpen, addCheck, addExplain, addKeygen]) add(cli);
  await program.parseAsync([...argv], { from: 'user' });
  return ended;
}

/** What was thrown, shown; and the exit code it means. */
function fail(thrown: unknown): ExitCode {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
  const error = asClaimsealError(thrown);
  for (const report of reports) report(error);
  process.stderr.write((asJson ? errorJson : errorText)(error, debug));
  return exitCodeOf(error.code);
}

function stdoutFailed(cause: NodeJS.ErrnoException): ClaimsealError {
  return new ClaimsealError(
    'file.unwritable',
    `standard output cannot be written (${cause.code ?? 'unknown'})`,
    {
      remedy: 'free space where it goes to, then start again',
      cause,
    },
  );
}

// A pipe whose reader went away is not an error to talk about, but not success either.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.readerGone : fail(stdoutFailed(error)));
});
process.stderr.on('error', () => {});

const code = await main(process.argv.slice(2)).catch(fail);
// What was written goes out first; then nothing that a client library left running keeps the process.
process.stdout.write('', () => process.exit(code));
