/** Apache Kafka in a container, through testcontainers; its ports on loopback only. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers';
import type { Broker, BrokerOptions } from './broker.ts';
import { brokerSettings, CLUSTER_ID } from './broker-settings.ts';
import { kafkaLibs } from './kafka-libs.ts';

const KAFKA = resolve(import.meta.dirname, '../../docker/kafka');
const SETTINGS = '/tmp/claimseal.properties';
/** Both paths are those of apache/kafka too, so that KAFKA_IMAGE may name it. */
const START = `
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted -c ${SETTINGS} "$@" &&
exec /opt/kafka/bin/kafka-server-start.sh ${SETTINGS}`;
const START_LIMIT_MS = 90_000;
const ATTEMPTS = 5;

/**
 * Takes the container away when its standard input ends: so the broker dies with whoever started it, even by
 * SIGKILL. The image that testcontainers has for this would have to be pulled.
 */
const GUARD = `
process.stdin.resume().on('end', async () => {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const { container } = await getContainerRuntimeClient();
  await container.dockerode.getContainer(process.argv[1]).remove({ force: true, v: true }).catch(() => {});
});`;

/** Why Docker cannot be used here; undefined when it can. */
export async function dockerMissing(): Promise<string | undefined> {
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';
  process.env.TESTCONTAINERS_HOST_OVERRIDE ??= '127.0.0.1';
  try {
    await getContainerRuntimeClient();
    return undefined;
  } catch (error) {
    return `no Docker engine answers: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Throws where no engine answers, there is no image, or the broker does not start. */
export async function dockerBroker(
  options: BrokerOptions & { log: (line: string) => void },
): Promise<Broker> {
  const missing = await dockerMissing();
  if (missing) throw new Error(missing);
  const image = await kafkaImage(options.log);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(image, options);
    } catch (error) {
      const clash = error instanceof Error && /address already in use|port is already/i.test(error.message);
      if (!clash || attempt === ATTEMPTS) throw error;
    }
  }
}

async function start(image: string, options: BrokerOptions): Promise<Broker> {
  const settings = await brokerSettings(options, '0.0.0.0', '/tmp/claimseal-data');
  let log = '';
  const container = new Guarded(image, settings.ports)
    .withEntrypoint(['/bin/sh', '-c', START, 'start', '-t', CLUSTER_ID, ...settings.formatArgs])
    .withCopyContentToContainer([{ content: settings.properties, target: SETTINGS, mode: 0o644 }])
    .withLogConsumer((stream) => {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-3000);
      });
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(START_LIMIT_MS);
  let server: StartedTestContainer;
  try {
    server = await container.start();
  } catch (error) {
    container.release();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the broker did not start from ${image}: ${reason}\n${log}`);
  }
  const engine = (await getContainerRuntimeClient()).container.getById(server.getId());
  return {
    kind: 'docker',
    brokers: settings.brokers,
    listeners: settings.listeners,
    secured: settings.secured,
    pause: async () => void (await engine.pause()),
    resume: async () => void (await engine.unpause()),
    restart: async () => {
      await engine.kill();
      await engine.wait();
      await server.restart();
    },
    stop: async () => {
      await engine.remove({ force: true, v: true });
      container.release();
    },
  };
}

/**
 * A container that goes when this process goes, with ports of loopback that are the same inside and outside: so
 * the broker's addresses hold for itself as well.
 */
class Guarded extends GenericContainer {
  #guard: ChildProcess | undefined;

  constructor(image: string, ports: readonly number[]) {
    super(image);
    this.withExposedPorts(...ports.map((port) => ({ container: port, host: port })));
    // What was just set would publish them on every address of the machine.
    this.hostConfig.PortBindings = Object.fromEntries(
      ports.map((port) => [`${port}/tcp`, [{ HostIp: '127.0.0.1', HostPort: `${port}` }]]),
    );
  }

  protected override async containerCreated(id: string): Promise<void> {
    // A group of its own: Ctrl-C in a terminal is for the program, whose end then ends the broker.
    this.#guard = spawn(process.execPath, ['--input-type=module', '-e', GUARD, id], {
      cwd: import.meta.dirname,
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#guard.unref();
  }

  /** The guard takes the container away, if it is still there. */
  release(): void {
    this.#guard?.stdin?.end();
  }
}

/** `KAFKA_IMAGE`, else the image made of this machine's Java, else the one of the hub. */
async function kafkaImage(log: (line: string) => void): Promise<string> {
  if (process.env.KAFKA_IMAGE) return process.env.KAFKA_IMAGE;
  try {
    await kafkaLibs(log);
    const { stdout } = await promisify(execFile)(join(KAFKA, 'image.sh'));
    return stdout.trim();
  } catch (error) {
    const version = /<kafka.version>(.+)</.exec(readFileSync(join(KAFKA, 'pom.xml'), 'utf8'))?.[1];
    const image = `apache/kafka:${version}`;
    log(`no image can be built here, ${image} is used: ${error instanceof Error ? error.message : error}`);
    return image;
  }
}
