/** Before the integration tests: the program is built, and one broker runs for all of them. */
import type { TestProject } from 'vitest/node';
import { startBroker } from './broker.ts';
import { build } from './built.ts';
import { javaMissing } from './kafka-libs.ts';
import { USER } from './shared.ts';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await build();
  const external = process.env['KAFKA_BROKERS'] !== undefined;
  const skip = (what: string, reasons: readonly string[]) => {
    const text = `${what}:\n${reasons.map((reason) => `  ${reason}\n`).join('')}`;
    if (process.env['CI'] === 'true') throw new Error(`${text}and CI=true`);
    process.stderr.write(`\nSKIPPED: every test against a real broker. ${text}\n`);
    project.provide('broker', undefined);
    return async () => {};
  };
  const noJava = await javaMissing();
  if (noJava !== undefined) return skip("What was delivered is judged by Java's consumer", [noJava]);
  const broker = await startBroker(external ? {} : { users: [USER] });
  if (broker.kind === 'none') return skip('There is none here', broker.reasons);
  process.stderr.write(`Kafka: ${broker.kind}, ${broker.brokers.join(',')}\n`);
  project.provide('broker', { brokers: broker.brokers, secured: broker.secured });
  return broker.stop;
}
