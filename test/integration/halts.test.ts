/** What stops `claimseal run` before or while it reads: a clear error, an exit code, nothing lost, nothing in clear. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { generateKeySet } from '../../src/seal/index.ts';
import { type Ran, until } from '../support/built.ts';
import { type Deployment, type DeploymentOptions, deploy } from '../support/deployment.ts';
import { readAll, readTopics } from '../support/java.ts';
import { sharedBroker } from '../support/shared.ts';

const { brokers } = sharedBroker();
let d: Deployment;
afterEach(() => d?.close());

const deployed = async (options: Partial<DeploymentOptions> = {}) => {
  d = await deploy({ brokers, ...options });
  return d;
};

const outputs = async () => {
  const { payroll, siem, partner, router } = d.topics;
  const read = await readTopics(brokers, { payroll, siem, partner, router }, { values: false });
  return Object.values(read).map((list) => list.length);
};

/** Runs to the end and expects that it halted with this code, naming all of `names`, with a remedy. */
async function halted(
  args: readonly string[],
  code: string,
  names: readonly (string | RegExp)[],
  exit: number = EXIT.halted,
): Promise<Ran> {
  const ran = await d.start(['--until-end', ...args]).ended;
  expect(ran.stderr, ran.stdout).toContain(`claimseal: ${code}: `);
  expect(ran.stderr).toMatch(/^ {2}remedy: \S/m);
  for (const name of names) expect(ran.stderr).toMatch(name);
  expect(ran.code).toBe(exit);
  return ran;
}

describe('keys', () => {
  const set = (o: unknown) => JSON.stringify(o);
  const publicKey = JSON.parse(generateKeySet({ kty: 'EC', kid: 'k' }).public!).keys[0];
  const offCurve = { ...publicKey, y: publicKey.x };
  const privateKey = generateKeySet({ kty: 'EC', kid: 'k' }).private;
  // 1024 bits of nothing special: the modulus alone shows that it is too small.
  const small = { kty: 'RSA', kid: 'small', e: 'AQAB', n: Buffer.alloc(128, 0xb7).toString('base64url') };

  test.each([
    ['an empty set', set({ keys: [] }), 'keys.none'],
    ['an off-curve key', set({ keys: [offCurve] }), 'keys.none'],
    ['a private key', privateKey, 'keys.none'],
    ['an RSA key of 1024 bits', set({ keys: [small] }), 'keys.none'],
    ['a key for signatures', set({ keys: [{ ...publicKey, use: 'sig' }] }), 'keys.none'],
    ['no JSON', '{"keys":', 'keys.unreadable'],
  ])('%s for one audience stops it for all', async (name, file, code) => {
    await deployed();
    await d.produce(10);
    writeFileSync(join(d.dir, 'keys/siem.jwks.json'), file);
    const { stderr, stdout } = await halted([], code, ['siem']);
    for (const part of [JSON.parse(privateKey).keys[0].d, publicKey.x])
      expect(stdout + stderr).not.toContain(part);
    expect(await outputs()).toEqual([0, 0, 0, 0]);
    expect(await d.committed()).toEqual([-1, -1, -1, -1]);
    if (name !== 'an empty set') return;
    // the others go on in groups of their own
    const others = await d.start(['--until-end', '--audience', 'payroll,partner,router']).ended;
    expect(others.code, others.stderr).toBe(0);
    expect(await outputs()).toEqual([10, 0, 10, 10]);
  });

  test('a missing file', async () => {
    await deployed({ policy: { quarantine: { keys: { file: 'keys/nobody.json' }, topic: 'q' } } });
    await halted([], 'keys.unreadable', [/nobody\.json/]);
  });
});

describe('configuration', () => {
  test('unknown and contradictory parts, all at once', async () => {
    await deployed({
      policy: { clear: ['/id', '/source', '/type', '/data/email'], unlistd: 'drop', unlisted: undefined },
    });
    const { stderr } = await halted([], 'config.invalid', ['unlistd', 'unlisted', '/data/email'], EXIT.usage);
    expect(stderr).toMatch(/mistakes/);
  });

  test('an unencrypted broker beyond loopback is not even dialled', async () => {
    await deployed({ via: ['192.0.2.1:9092'] });
    const began = Date.now();
    await halted([], 'config.invalid', ['192.0.2.1:9092', 'allowPlaintext'], EXIT.usage);
    expect(Date.now() - began).toBeLessThan(8000);
  });

  test('--audience with a name that is none', async () => {
    await deployed();
    await halted(['--audience', 'payrol'], 'config.invalid', ['payrol', 'siem'], EXIT.usage);
  });
});

describe('topics', () => {
  test.each(['source', 'payroll', 'quarantine'] as const)('%s does not exist', async (name) => {
    await deployed({ without: [name] });
    await halted([], 'kafka.topic', [new RegExp(d.topics[name])]);
  });

  test('a missing target is created where the configuration says so', async () => {
    await deployed({ without: ['payroll'], kafka: { createTopics: true } });
    await d.produce(20);
    const ran = await d.start(['--until-end']).ended;
    expect(ran.code, ran.stderr).toBe(0);
    expect(await outputs()).toEqual([20, 20, 20, 20]);
  });
});

describe('bad records', () => {
  const bad = { key: 'k', value: '{"secret-of-nobody":', partition: 0 };

  test('without quarantine the first one halts, and nothing is committed past it', async () => {
    await deployed({ partitions: 1, policy: { quarantine: undefined, unmatched: 'drop' } });
    await d.produce(5);
    await d.send([bad]);
    const { stdout, stderr } = await halted([], 'quarantine.missing', [
      `${d.topics.source}/0/5`,
      /event\.notJson/,
    ]);
    expect(stdout + stderr).not.toContain('secret-of-nobody');
    expect((await d.committed())[0]).toBeLessThanOrEqual(5);
  });

  test('more than the stated share halts', async () => {
    await deployed({ partitions: 1 });
    d.configure({
      policy: {
        quarantine: {
          keys: { file: 'keys/quarantine.jwks.json' },
          topic: d.topics.quarantine,
          maxShare: 0.1,
        },
      },
    });
    await d.produce(950);
    await d.send(Array.from({ length: 150 }, () => bad));
    await halted([], 'quarantine.share', [/101 of the last 1000/]);
  });

  test('one that the quarantine cannot hold halts once; set aside, its coordinates and digest stay', async () => {
    await deployed({ partitions: 1, topicConfig: { quarantine: { 'max.message.bytes': '20000' } } });
    await d.produce(5);
    await d.send([{ ...bad, value: `{"x":"${'s'.repeat(40_000)}` }]);
    await d.produce(5, { from: 5 });
    await halted([], 'quarantine.refused', [`--quarantine-offset ${d.topics.source}/0/5`]);
    const again = await d.start(['--until-end', '--quarantine-offset', `${d.topics.source}/0/5`]).ended;
    expect(again.code, again.stderr).toBe(0);
    expect(await outputs()).toEqual([10, 10, 10, 10]);
    const [record] = await readAll(brokers, d.topics.quarantine);
    expect(record!.headers.find(([n]) => n === 'claimseal-code')![1]).toBe(
      Buffer.from('operator.setAside').toString('base64'),
    );
  });
});

describe('a gap by retention', () => {
  test('halts with the range; --accept-gap goes on', async () => {
    await deployed({ partitions: 1 });
    await d.produce(10);
    expect((await d.start(['--until-end']).ended).code).toBe(0);
    await d.produce(10, { from: 10 });
    const partitions = [{ partition: 0, offset: '15' }];
    const remove = () => d.admin.deleteTopicRecords({ topic: d.topics.source, partitions });
    await until('the records removed', () =>
      remove().then(
        () => true,
        () => false,
      ),
    );
    await halted([], 'kafka.gap', [/\b10\b/, /\b15\b/, '--accept-gap']);
    expect(await d.committed()).toEqual([10]);
    const again = await d.start(['--until-end', '--accept-gap']).ended;
    expect(again.code, again.stderr).toBe(0);
    expect(await outputs()).toEqual([15, 15, 15, 15]);
  });
});
