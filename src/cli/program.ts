import type { Command } from 'commander';
import type { ExitCode } from './exit.ts';

/** What a command gets from main: where to hang itself, and how to say how it ended. */
export interface Cli {
  readonly program: Command;
  /** Wraps an action so that its return value becomes the exit code. */
  ends<Args extends unknown[]>(
    action: (...args: Args) => Promise<ExitCode>,
  ): (...args: Args) => Promise<void>;
  /** Tells of the error that ends the process somewhere else too, such as the log. */
  reportTo(report: (error: unknown) => void): void;
  /** Whether `--debug` was given. */
  debug(): boolean;
}

/** Writes to standard output and waits until it was taken. */
export function print(text: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
