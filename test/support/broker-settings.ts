/** server.properties of a single node that starts fast and forgets everything: one text for JVM and image. */
import type { BrokerOptions, Secured } from './broker.ts';
import { freePort } from './ports.ts';
import { makeTls } from './tls.ts';

export const CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw';

export interface BrokerSettings {
  readonly properties: string;
  /** Arguments of `kafka-storage format` beyond `-t` and `-c`. */
  readonly formatArgs: readonly string[];
  /** Ports that clients or proxies reach. */
  readonly ports: readonly number[];
  readonly brokers: readonly string[];
  readonly listeners: Readonly<Record<string, string>>;
  readonly secured: Secured | undefined;
}

/** Draws ports and writes the settings; `bind` is the address of the listeners, `dataDir` where the log goes. */
export async function brokerSettings(
  options: BrokerOptions,
  bind: string,
  dataDir: string,
): Promise<BrokerSettings> {
  const controller = await freePort();
  const main = await freePort();
  const listeners = [
    { name: 'PLAINTEXT', port: main, advertised: `127.0.0.1:${main}`, protocol: 'PLAINTEXT' },
  ];
  for (const { name, port = await freePort(), advertised = `127.0.0.1:${port}` } of options.listeners ?? []) {
    listeners.push({ name, port, advertised, protocol: 'PLAINTEXT' });
  }
  const tls = options.users ? makeTls() : undefined;
  let secured: Secured | undefined;
  if (tls) {
    const port = await freePort();
    const advertised = `127.0.0.1:${port}`;
    listeners.push({ name: 'SECURED', port, advertised, protocol: 'SASL_SSL' });
    secured = { brokers: [advertised], ca: tls.ca };
  }
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [
      ...listeners.map(({ name, port }) => `${name}://${bind}:${port}`),
      `CONTROLLER://127.0.0.1:${controller}`,
    ].join(','),
    'advertised.listeners': listeners.map(({ name, advertised }) => `${name}://${advertised}`).join(','),
    'listener.security.protocol.map': [
      ...listeners.map(({ name, protocol }) => `${name}:${protocol}`),
      'CONTROLLER:PLAINTEXT',
    ].join(','),
    'log.dirs': dataDir,
    'auto.create.topics.enable': 'false',
    'log.cleaner.backoff.ms': '500',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '2000',
    'log.retention.check.interval.ms': '1000',
    ...(tls && options.users ? securedProperties(tls, options.users) : {}),
    ...options.properties,
  };
  return {
    properties: Object.entries(properties)
      .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
      .join(''),
    formatArgs: (options.users ?? []).flatMap(({ username, password }) =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
        '--add-scram',
        `${mechanism}=[name=${username},password=${password}]`,
      ]),
    ),
    ports: listeners.map(({ port }) => port),
    brokers: [`127.0.0.1:${main}`],
    listeners: Object.fromEntries(listeners.slice(1).map(({ name, port }) => [name, `127.0.0.1:${port}`])),
    secured,
  };
}

function securedProperties(
  tls: { chain: string; key: string },
  users: NonNullable<BrokerOptions['users']>,
): Record<string, string> {
  const prefix = 'listener.name.secured';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required ${users
    .map(({ username, password }) => `user_${username}="${password}"`)
    .join(' ')};`;
  return {
    [`${prefix}.ssl.keystore.type`]: 'PEM',
    [`${prefix}.ssl.keystore.certificate.chain`]: tls.chain,
    [`${prefix}.ssl.keystore.key`]: tls.key,
    [`${prefix}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`${prefix}.plain.sasl.jaas.config`]: plain,
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: scram,
  };
}
