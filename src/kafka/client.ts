/**
 * kafkajs clients as this room wants them: TLS and SASL from the settings, no unencrypted byte beyond loopback,
 * retries stated, kafkajs's own log off (its lines may quote messages; what happens is told by notices).
 */
import { readFile } from 'node:fs/promises';
import { connect, isIP, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Admin, Kafka, KafkaConfig, SASLOptions } from 'kafkajs';
import { ClaimsealError } from '../errors.ts';
import { kafkaFailure } from './failures.ts';
import { kafkajs } from './repairs.ts';

/** Section `kafka` of the configuration. Times in ms, files as paths. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly delivery: 'exactly-once' | 'at-least-once';
  readonly start: 'earliest' | 'latest';
  readonly ssl: boolean | TlsFiles;
  readonly sasl?: Sasl | undefined;
  readonly allowPlaintext: boolean;
  readonly createTopics: boolean;
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly transactionTimeout: number;
}

export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
}

export type Sasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | { readonly mechanism: 'oauthbearer'; readonly tokenFile: string };

/** `METADATA_MAX_AGE_MS` bounds how long a grown topic goes unnoticed. */
export const METADATA_MAX_AGE_MS = 30_000;

const KEEP_ALIVE_MS = 60_000;

export interface Clients {
  /** Consumer and producers have clients of their own: kafkajs shares its record of committed offsets inside one. */
  readonly consumer: Kafka;
  readonly producer: Kafka;
  /** Runs `use` with a connected admin client, kept while it works and discarded at its first error. */
  admin<T>(use: (admin: Admin) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Builds the clients; `refused` is called when the cluster advertises a broker that would be reached unencrypted. */
export async function createClients(
  settings: KafkaSettings,
  refused: (error: ClaimsealError) => void,
): Promise<Clients> {
  const { Kafka, logLevel } = kafkajs();
  const ssl = await readTls(settings.ssl);
  const config: KafkaConfig = {
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    ...(ssl === undefined ? {} : { ssl }),
    ...(settings.sasl === undefined ? {} : { sasl: saslOptions(settings.sasl) }),
    connectionTimeout: 10_000,
    authenticationTimeout: 10_000,
    requestTimeout: 30_000,
    retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 3_000, restartOnFailure: async () => false },
    logLevel: logLevel.NOTHING,
    socketFactory: ({ host, port, ssl, onConnect }) => {
      // kafkajs says null where its types say undefined.
      if (!ssl && !settings.allowPlaintext && !isLoopback(host)) {
        const error = plaintextRefused(`${host}:${port}`);
        refused(error);
        const never = new Socket();
        setImmediate(() => never.destroy(error));
        return never;
      }
      const socket = ssl
        ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
        : connect({ host, port }, onConnect);
      return socket.setKeepAlive(true, KEEP_ALIVE_MS);
    },
  };

  const adminKafka = new Kafka(config);
  let admin: Promise<Admin> | undefined;
  const discard = async () => {
    const old = admin;
    admin = undefined;
    await old?.then((a) => a.disconnect()).catch(() => {});
  };
  return {
    consumer: new Kafka(config),
    producer: new Kafka(config),
    admin: async (use) => {
      admin ??= (async () => {
        const fresh = adminKafka.admin();
        await fresh.connect();
        return fresh;
      })();
      const mine = admin;
      try {
        return await use(await mine);
      } catch (thrown) {
        if (admin === mine) await discard();
        throw kafkaFailure(thrown);
      }
    },
    close: discard,
  };
}

/** The error for a broker that is neither encrypted nor on this machine. */
function plaintextRefused(broker: string): ClaimsealError {
  return new ClaimsealError(
    'kafka.plaintext',
    `broker ${broker} is beyond loopback and the connection is not encrypted`,
    {
      remedy: 'set kafka.ssl, or kafka.allowPlaintext: true where the network itself is trusted',
    },
  );
}

/** 127.0.0.0/8, ::1 and localhost. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

async function readTls(
  ssl: KafkaSettings['ssl'],
): Promise<{ ca?: string; cert?: string; key?: string; passphrase?: string } | undefined> {
  if (ssl === false) return undefined;
  if (ssl === true) return {};
  const read = async (path: string) => {
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new ClaimsealError('config.unreadable', 'a TLS file cannot be read', {
        place: { file: path },
        remedy: 'check kafka.ssl and the permissions of the file',
        cause,
      });
    }
  };
  return {
    ...(ssl.ca === undefined ? {} : { ca: await read(ssl.ca) }),
    ...(ssl.cert === undefined ? {} : { cert: await read(ssl.cert) }),
    ...(ssl.key === undefined ? {} : { key: await read(ssl.key) }),
    ...(ssl.passphrase === undefined ? {} : { passphrase: ssl.passphrase }),
  };
}

function saslOptions(sasl: Sasl): SASLOptions {
  if (sasl.mechanism === 'oauthbearer') {
    const { tokenFile } = sasl;
    return {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: (await readFile(tokenFile, 'utf8')).trim() }),
    };
  }
  const { username, password } = sasl;
  switch (sasl.mechanism) {
    case 'plain':
      return { mechanism: 'plain', username, password };
    case 'scram-sha-256':
      return { mechanism: 'scram-sha-256', username, password };
    case 'scram-sha-512':
      return { mechanism: 'scram-sha-512', username, password };
  }
}
