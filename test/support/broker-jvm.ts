/** Apache Kafka on this machine's Java, from Maven artifacts. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Broker, BrokerOptions } from './broker.ts';
import { brokerSettings, CLUSTER_ID } from './broker-settings.ts';
import { javaTool, kafkaLibs } from './kafka-libs.ts';

export { javaMissing } from './kafka-libs.ts';

const START_LIMIT_MS = 90_000;
const ATTEMPTS = 5;
const JVM = [
  '-Xmx384m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
];

/**
 * Runs its arguments, tells their pid, and kills them when its standard input ends: so the broker dies with
 * whoever started it, even by SIGKILL.
 */
const GUARD = `
exec 3<&0
dir=$1; shift
"$@" </dev/null & child=$!
echo "pid $child"
( cat <&3 >/dev/null; kill -KILL $child; sleep 1; rm -rf "$dir" ) & guard=$!
wait $child; code=$?
kill $guard 2>/dev/null
exit $code`;

/** Throws where Java or Maven is missing, or the broker does not start. */
export async function jvmBroker(options: BrokerOptions & { log: (line: string) => void }): Promise<Broker> {
  const libs = await kafkaLibs(options.log);
  for (let attempt = 1; ; attempt += 1) {
    const dir = mkdtempSync(join(tmpdir(), 'claimseal-kafka-'));
    try {
      return await start(libs, dir, options);
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      const clash = error instanceof Error && /Address already in use|BindException/.test(error.message);
      if (!clash || attempt === ATTEMPTS) throw error;
    }
  }
}

async function start(libs: string, dir: string, options: BrokerOptions): Promise<Broker> {
  const settings = await brokerSettings(options, '127.0.0.1', join(dir, 'data'));
  const file = join(dir, 'server.properties');
  writeFileSync(file, settings.properties);
  const java = [javaTool('java'), ...JVM, '-cp', join(libs, '*')];
  const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', file, ...settings.formatArgs];
  await promisify(execFile)(java[0]!, [...java.slice(1), ...format]);

  let server = await launch(dir, [...java, 'kafka.Kafka', file]);
  return {
    kind: 'jvm',
    brokers: settings.brokers,
    listeners: settings.listeners,
    secured: settings.secured,
    pause: async () => void process.kill(server.pid, 'SIGSTOP'),
    resume: async () => void process.kill(server.pid, 'SIGCONT'),
    restart: async () => {
      await server.kill();
      server = await launch(dir, [...java, 'kafka.Kafka', file]);
    },
    stop: async () => {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Resolves when the broker serves; rejects with the end of its log. */
async function launch(
  dir: string,
  command: readonly string[],
): Promise<{ pid: number; kill(): Promise<void> }> {
  // A group of its own: Ctrl-C in a terminal is for the program, whose end then ends the broker.
  const child: ChildProcess = spawn('sh', ['-c', GUARD, 'guard', dir, ...command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let log = '';
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  await new Promise<void>((serving, fail) => {
    const give = (reason: string) => {
      child.stdin?.end();
      fail(new Error(`the broker ${reason}\n${log.slice(-3000)}`));
    };
    const timer = setTimeout(() => give(`did not start in ${START_LIMIT_MS} ms`), START_LIMIT_MS);
    const see = (text: string) => {
      log = (log + text).slice(-20_000);
      if (!log.includes('Kafka Server started')) return;
      clearTimeout(timer);
      serving();
    };
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', see);
    child.once('error', (error) => give(error.message));
    child.once('exit', (code) => {
      clearTimeout(timer);
      give(`ended with ${code}`);
    });
  });
  const pid = Number(/^pid (\d+)$/m.exec(log)?.[1]);
  // The broker shall not keep the process alive that uses it.
  child.unref();
  return {
    pid,
    kill: async () => {
      child.ref();
      process.kill(pid, 'SIGKILL');
      await exited;
    },
  };
}
