/** Kafka's jars, fetched once by Maven into docker/kafka/lib, and the Java that runs them. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KAFKA = resolve(import.meta.dirname, '../../docker/kafka');
const LIB = join(KAFKA, 'lib');
const MARK = '.pom-sha256';
const OLDEST_JAVA = 17;
const MAVEN_LIMIT_MS = 300_000;

/** `bin` of the JDK: `JAVA_HOME`, else whatever is on the path. */
export const javaTool = (name: 'java' | 'javac'): string =>
  process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', name) : name;

const pomDigest = () =>
  createHash('sha256')
    .update(readFileSync(join(KAFKA, 'pom.xml')))
    .digest('hex');

const libsAreThere = () =>
  existsSync(join(LIB, MARK)) && readFileSync(join(LIB, MARK), 'utf8') === pomDigest();

/** Why Java cannot be used here; undefined when it can. */
export async function javaMissing(): Promise<string | undefined> {
  try {
    const { stderr } = await run(javaTool('java'), ['-version']);
    const version = Number(/version "(\d+)/.exec(stderr)?.[1]);
    if (!(version >= OLDEST_JAVA)) return `expected Java ${OLDEST_JAVA} or newer, found ${version}`;
  } catch {
    return `no Java: install JDK ${OLDEST_JAVA} or newer`;
  }
  if (libsAreThere()) return undefined;
  try {
    await run('mvn', ['-v']);
    return undefined;
  } catch {
    return 'no Maven, which fetches Kafka: install it';
  }
}

/** The folder with the jars; fetches them the first time. Throws where Java or Maven is missing or fails. */
export async function kafkaLibs(log: (line: string) => void): Promise<string> {
  const missing = await javaMissing();
  if (missing) throw new Error(missing);
  if (libsAreThere()) return LIB;
  log('fetching Apache Kafka from Maven, once (43 MB) ...');
  // Beside it, then renamed: another process may be doing the same.
  const fresh = `${LIB}.${process.pid}`;
  try {
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${fresh}`];
    const options = { timeout: MAVEN_LIMIT_MS, maxBuffer: 2 ** 24 };
    await run(
      'mvn',
      ['-q', '-B', '-f', join(KAFKA, 'pom.xml'), '-Dmdep.useBaseVersion=true', ...goal],
      options,
    );
    writeFileSync(join(fresh, MARK), pomDigest());
    if (!libsAreThere()) {
      rmSync(LIB, { recursive: true, force: true });
      renameSync(fresh, LIB);
    }
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (!libsAreThere()) throw new Error(`Maven failed: ${stdout?.slice(0, 1000) || String(error)}`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return LIB;
}
