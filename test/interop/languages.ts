/**
 * The foreign readers: one program a language under test/interop, installed under .cache/interop from its own pinned
 * manifest. Downloads land in each toolchain's usual cache; a second run installs nothing.
 */
import { execFile, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const cache = fileURLToPath(new URL('../../.cache/interop/', import.meta.url));
const INSTALL_TIMEOUT_MS = 240_000;

export type Language = 'node' | 'java' | 'go' | 'python';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What a reader made of lines: the views in order, and the numbers (from 1) of the lines it refused. */
export interface Answer {
  readonly views: readonly string[];
  readonly refused: ReadonlySet<number>;
  readonly status: number | null;
}

const TOOLS: Readonly<Record<Language, readonly string[]>> = {
  node: [],
  java: ['mvn', 'javac', 'java'],
  go: ['go'],
  python: ['python3'],
};

/** Why a language cannot be tried here, said aloud as well; undefined where it can, and where CI is to fail instead. */
export async function missingTool(language: Language): Promise<string | undefined> {
  for (const tool of TOOLS[language]) {
    const found = await run(tool, [tool === 'go' ? 'version' : '--version']).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
    if (found) continue;
    const reason = `${language} is NOT tried: there is no ${tool} on the PATH`;
    if (process.env['CI'] === 'true') throw new Error(reason);
    process.stderr.write(`\n*** ${reason}\n`);
    return reason;
  }
  return undefined;
}

/** Installs a language's reader of lines. Rejects with the reason when it cannot be built, or fetched the first time. */
export const installReader: Readonly<Record<Language, () => Promise<Program>>> = {
  node: async () => ({ command: process.execPath, args: [join(here, 'node/lines.mjs')] }),

  java: async () => {
    const classPath = await installJava();
    return { command: 'java', args: [...JVM, '-cp', classPath, 'Lines'] };
  },

  go: async () => {
    const program = join(cache, 'go/lines');
    await run('go', ['build', '-o', program, '.'], join(here, 'go'));
    return { command: program, args: [] };
  },

  python: async () => {
    const packages = join(cache, 'python');
    await once(join(here, 'python/requirements.txt'), packages, (manifest, folder) =>
      run('python3', ['-m', 'pip', 'install', '--quiet', '--target', folder, '-r', manifest]),
    );
    return {
      command: 'python3',
      args: [join(here, 'python/lines.py')],
      env: { PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' },
    };
  },
};

const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx128m'];

/** The programs that read from a broker. Their arguments: brokers, topic, key file, audience. */
export const installConsumer: Readonly<Record<'node' | 'java', () => Promise<Program>>> = {
  node: async () => ({ command: process.execPath, args: [join(here, 'node/consume.mjs')] }),
  java: async () => {
    const classPath = await installJava();
    return { command: 'java', args: [...JVM, '-cp', classPath, 'Consume'] };
  },
};

async function installJava(): Promise<string> {
  const libraries = join(cache, 'java/lib');
  const classes = join(cache, 'java/classes');
  await once(join(here, 'java/pom.xml'), libraries, (pom, folder) =>
    run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`]),
  );
  const sources = (await readdir(join(here, 'java'))).filter((name) => name.endsWith('.java'));
  await run('javac', ['-cp', join(libraries, '*'), '-d', classes, ...sources], join(here, 'java'));
  return `${classes}:${join(libraries, '*')}`;
}

/** Installs what a manifest names unless this very manifest was installed before. A whole folder appears or none. */
async function once(
  manifest: string,
  target: string,
  install: (manifest: string, folder: string) => Promise<unknown>,
): Promise<void> {
  const wanted = await readFile(manifest, 'utf8');
  const installed = () => readFile(join(target, basename(manifest)), 'utf8').catch(() => '');
  if ((await installed()) === wanted) return;
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(`${target}.`);
  await install(manifest, folder);
  await copyFile(manifest, join(folder, basename(manifest)));
  await rm(target, { recursive: true, force: true });
  try {
    await rename(folder, target);
  } catch (error) {
    // another run was faster: what it installed is as good
    await rm(folder, { recursive: true, force: true });
    if ((await installed()) !== wanted) throw error;
  }
}

async function run(command: string, args: readonly string[], cwd = here): Promise<void> {
  await promisify(execFile)(command, args, { cwd, timeout: INSTALL_TIMEOUT_MS, maxBuffer: 1 << 26 });
}

/** Feeds lines to a reader and takes its answer. */
export async function ask(
  { command, args, env }: Program,
  keyFile: string,
  audience: string,
  lines: readonly string[],
): Promise<Answer> {
  const child = spawn(command, [...args, keyFile, audience], { env: { ...process.env, ...env } });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk;
    });
  }
  const status = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  child.stdin.end(lines.map((line) => `${line}\n`).join(''));
  const code = await status;
  const refused = [...text.stderr.matchAll(/^(\d+) refused$/gm)].map(([, number]) => Number(number));
  const rest = text.stderr.replace(/^\d+ refused$/gm, '').trim();
  if (rest !== '') throw new Error(`${command} printed to stderr: ${rest}`);
  return { views: text.stdout.split('\n').filter(Boolean), refused: new Set(refused), status: code };
}
