/** SASL_SSL with SCRAM against the broker, and what is refused. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { type Deployment, deploy, READERS } from '../support/deployment.ts';
import { readAll } from '../support/java.ts';
import { sharedBroker, USER } from '../support/shared.ts';

const { brokers, secured } = sharedBroker();
let d: Deployment;
afterEach(() => d?.close());

async function deployed(kafka: Record<string, unknown>, ca = true) {
  d = await deploy({ brokers, via: secured!.brokers });
  writeFileSync(join(d.dir, 'ca.pem'), secured!.ca);
  d.configure({ kafka: { ssl: ca ? { ca: 'ca.pem' } : true, ...kafka } });
  await d.produce(20);
  return d.start(['--until-end'], { env: { KAFKA_PASSWORD: USER.password } }).ended;
}
const sasl = (mechanism: string, username: string = USER.username) => ({
  sasl: { mechanism, username, password: '$' + '{KAFKA_PASSWORD}' },
});

describe.skipIf(secured === undefined)('SASL_SSL', () => {
  test.each(['scram-sha-256', 'scram-sha-512', 'plain'])('%s', async (mechanism) => {
    const { code, stdout, stderr } = await deployed(sasl(mechanism));
    expect(code, stdout + stderr).toBe(0);
    for (const name of READERS) {
      expect(await readAll(brokers, d.topics[name], { values: false })).toHaveLength(20);
    }
    expect(stdout + stderr).not.toContain(USER.password);
  });

  test('wrong credentials halt, without the password in any line', async () => {
    const { code, stdout, stderr } = await deployed(sasl('scram-sha-256', 'nobody'));
    expect(stderr).toContain('claimseal: kafka.credentials: ');
    expect(stderr).toMatch(/^ {2}remedy: .*kafka\.sasl/m);
    expect(code).toBe(EXIT.halted);
    expect(stdout + stderr).not.toContain(USER.password);
  });

  test('an authority that is not named halts', async () => {
    const { code, stderr } = await deployed(sasl('scram-sha-256'), false);
    expect(stderr).toContain('claimseal: kafka.credentials: ');
    expect(stderr).toMatch(/^ {2}remedy: .*kafka\.ssl\.ca/m);
    expect(code).toBe(EXIT.halted);
  });
});
