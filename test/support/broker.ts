/**
 * A real Apache Kafka broker for tests, demo and benchmarks: `KAFKA_BROKERS`, else Docker through testcontainers,
 * else the JVM with jars from Maven. `KAFKA_TEST_BACKEND=external|docker|jvm|none` forces one. Never an imitation.
 */
import { dockerBroker, dockerMissing } from './broker-docker.ts';
import { javaMissing, jvmBroker } from './broker-jvm.ts';

/** One more plain listener, for instance one that is reached through a proxy. */
export interface Listener {
  /** Upper case letters. */
  readonly name: string;
  /** `host:port` that clients are told to use; where it is not given, the listener's own. */
  readonly advertised?: string;
  /** A free one where it is not given. */
  readonly port?: number;
}

export interface User {
  readonly username: string;
  readonly password: string;
}

export interface BrokerOptions {
  readonly listeners?: readonly Listener[];
  /** Adds a SASL_SSL listener where these users log in with PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly users?: readonly User[];
  /** Merged over the broker's properties. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Takes lines of progress; stderr where it is not given. */
  readonly log?: (line: string) => void;
}

export interface Broker {
  readonly kind: 'external' | 'docker' | 'jvm';
  /** Bootstrap addresses, unencrypted, on loopback (`KAFKA_BROKERS` as they are). */
  readonly brokers: readonly string[];
  /** Where each extra listener really is, by name: what a proxy connects to. */
  readonly listeners: Readonly<Record<string, string>>;
  readonly secured: Secured | undefined;
  /** Stops the broker in its tracks, as a machine without a turn would stand. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Kills it and starts it again with its data, at the same addresses. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The SASL_SSL listener. */
export interface Secured {
  readonly brokers: readonly string[];
  /** Certificate of the authority, PEM. */
  readonly ca: string;
}

/** No broker, and why each way failed. */
export interface NoBroker {
  readonly kind: 'none';
  readonly reasons: readonly string[];
}

const BACKENDS = {
  external: externalBroker,
  docker: dockerBroker,
  jvm: jvmBroker,
} as const;

/**
 * Starts a broker, or takes the one of `KAFKA_BROKERS`. Where a backend is forced, its failure is thrown; else the
 * next one is tried.
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker | NoBroker> {
  const forced = process.env.KAFKA_TEST_BACKEND;
  if (forced === 'none') return { kind: 'none', reasons: ['KAFKA_TEST_BACKEND=none'] };
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`));
  if (forced) {
    const start = Object.entries(BACKENDS).find(([name]) => name === forced)?.[1];
    if (!start) throw new Error(`KAFKA_TEST_BACKEND: expected external, docker, jvm or none, got ${forced}`);
    return start({ ...options, log });
  }
  const reasons: string[] = [];
  for (const [name, start] of Object.entries(BACKENDS)) {
    try {
      return await start({ ...options, log });
    } catch (error) {
      reasons.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { kind: 'none', reasons };
}

/** As `startBroker`, for callers that cannot do without. */
export async function requireBroker(options: BrokerOptions = {}): Promise<Broker> {
  const broker = await startBroker(options);
  if (broker.kind === 'none') throw new Error(`no Kafka broker:\n  ${broker.reasons.join('\n  ')}`);
  return broker;
}

/** Whether a broker with options of its own could be started here; `KAFKA_BROKERS` has none. */
export async function canStartBroker(): Promise<boolean> {
  const forced = process.env.KAFKA_TEST_BACKEND;
  const able = async (name: string, missing: () => Promise<string | undefined>) =>
    (forced === undefined || forced === '' || forced === name) && (await missing()) === undefined;
  return (await able('docker', dockerMissing)) || (await able('jvm', javaMissing));
}

async function externalBroker(options: BrokerOptions): Promise<Broker> {
  const brokers = (process.env.KAFKA_BROKERS ?? '').split(',').flatMap((s) => s.trim() || []);
  if (brokers.length === 0) throw new Error('KAFKA_BROKERS is not set');
  if (options.listeners || options.users || options.properties) {
    throw new Error(
      'KAFKA_BROKERS is there, but this needs a broker with listeners or properties of its own',
    );
  }
  const impossible = async () => {
    throw new Error('the broker of KAFKA_BROKERS is not ours to stop');
  };
  return {
    kind: 'external',
    brokers,
    listeners: {},
    secured: undefined,
    pause: impossible,
    resume: impossible,
    restart: impossible,
    stop: async () => {},
  };
}
