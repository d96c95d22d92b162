import type { Code } from '../errors.ts';

/** What the process's exit code means; also shown by `--help`. 3 is kept for `explain --against`. */
export const EXIT = {
  done: 0,
  /** The command worked and its answer is no. */
  negative: 1,
  usage: 2,
  halted: 4,
  /** 128 + SIGPIPE: whoever read the output went away. */
  readerGone: 141,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `
Exit codes:
  0    done
  1    a negative answer: lines that did not open, events quarantined by seal, mistakes found by check
  2    usage or configuration
  4    halted, or could not be done: keys, broker, topics, disk, quarantine; nothing was committed past it
  130  a second SIGINT, 143 a second SIGTERM: left at once
  141  whoever read standard output went away`;

/** Codes that are found before anything ran. */
const BEFORE_START: ReadonlySet<Code> = new Set<Code>([
  'config.invalid',
  'config.unreadable',
  'file.unreadable',
]);

export function exitCodeOf(code: Code): ExitCode {
  return BEFORE_START.has(code) ? EXIT.usage : EXIT.halted;
}
