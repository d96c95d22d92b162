/** The built program as a process, for tests of what is typed in a terminal. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = resolve(import.meta.dirname, '../..');
export const MAIN = join(ROOT, 'dist/cli/main.js');
const LOCK = join(ROOT, 'node_modules/.claimseal-build-lock');
const BUILD_LIMIT_MS = 120_000;

const newest = (directory: string): number =>
  Math.max(
    ...readdirSync(directory, { recursive: true, encoding: 'utf8' }).map(
      (file) => statSync(join(directory, file)).mtimeMs,
    ),
  );

const isFresh = () => existsSync(MAIN) && statSync(MAIN).mtimeMs > newest(join(ROOT, 'src'));

/** Builds `dist` where it is older than `src`; test files that run side by side build it once. */
export async function build(): Promise<void> {
  const began = Date.now();
  while (!isFresh()) {
    try {
      mkdirSync(LOCK);
    } catch {
      const heldMs = existsSync(LOCK) ? Date.now() - statSync(LOCK).mtimeMs : 0;
      if (heldMs > BUILD_LIMIT_MS) rmdirSync(LOCK); // left by a build that was killed
      if (Date.now() - began > 2 * BUILD_LIMIT_MS) throw new Error('the build did not finish');
      await delay(100);
      continue;
    }
    try {
      if (isFresh()) return;
      const { status, stdout } = spawnSync('npm', ['run', 'build'], { cwd: ROOT, encoding: 'utf8' });
      if (status !== 0) throw new Error(`npm run build failed\n${stdout}`);
    } finally {
      rmdirSync(LOCK);
    }
  }
}

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Buffer;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The program while it runs. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly pid: number;
  /** What it wrote so far. */
  stdout(): string;
  stderr(): string;
  /** When its streams are closed. */
  readonly ended: Promise<Ran>;
  /** Sends a signal, unless it has ended. */
  kill(signal: NodeJS.Signals): void;
}

/** Starts `claimseal` with these arguments; nothing of this process's environment but PATH reaches it. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // it may end before it read everything
  const ended = new Promise<Ran>((done) => {
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }));
  });
  return {
    child,
    pid: child.pid!,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    kill: (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    },
  };
}

/** Runs `claimseal` to its end. */
export async function claimseal(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { child, ended } = start(args, options);
  child.stdin.end(options.stdin ?? '');
  return ended;
}

/** Waits until `holds`, looking often; fails with `what` after `limitMs`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  for (const end = Date.now() + limitMs; !(await holds()); await delay(20)) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
  }
}
