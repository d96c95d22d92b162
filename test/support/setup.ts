/** Before the integration tests: the program is built, and one broker runs for all of them. */
import type { TestProject } from 'vitest/node';
import { startBroker } from './broker.ts';
import { build } from './built.ts';
import { USER } from './shared.ts';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await build();
  const external = process.env['KAFKA_BROKERS'] !== undefined;
  const broker = await startBroker(external ? {} : { users: [USER] });
  if (broker.kind === 'none') {
    const reasons = broker.reasons.map((reason) => `  ${reason}\n`).join('');
    if (process.env['CI'] === 'true') throw new Error(`no Kafka broker, and CI=true:\n${reasons}`);
    process.stderr.write(
      `\nSKIPPED: every test against a real broker, because there is none here:\n${reasons}\n`,
    );
    project.provide('broker', undefined);
    return async () => {};
  }
  process.stderr.write(`Kafka: ${broker.kind}, ${broker.brokers.join(',')}\n`);
  project.provide('broker', { brokers: broker.brokers, secured: broker.secured });
  return broker.stop;
}
