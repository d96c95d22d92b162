/** Partition counts that differ or grow, limits of topics, compaction: nothing missing, or a halt with a remedy. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { type Deployment, deploy, event } from '../support/deployment.ts';
import { readTopics } from '../support/java.ts';
import { sharedBroker } from '../support/shared.ts';

const { brokers } = sharedBroker();
const open: Deployment[] = [];
const deployed = async (options: Omit<Parameters<typeof deploy>[0], 'brokers'>) => {
  const d = await deploy({ brokers, ...options });
  open.push(d);
  return d;
};
afterEach(async () => {
  for (const d of open.splice(0)) await d.close();
});

/** Topics that grow under running instances. kafkajs notices within half a minute, while the other tests run. */
let growing: Record<'taken' | 'moved' | 'together', Deployment>;
beforeAll(async () => {
  growing = {
    taken: await deploy({ brokers, partitions: 2 }),
    moved: await deploy({ brokers, partitions: 4, targetPartitions: { siem: 2 } }),
    together: await deploy({ brokers, partitions: 2 }),
  };
  const { taken, moved, together } = growing;
  for (const d of Object.values(growing)) {
    await d.produce(20);
    d.start();
  }
  for (const d of Object.values(growing)) await d.drained(20_000);
  await together.grow(['payroll', 'siem', 'partner', 'router', 'quarantine', 'source'], 4);
  await together.produce(10, { from: 20, partition: 3 });
  await taken.grow(['source'], 3);
  await taken.produce(10, { from: 20, partition: 2 });
  await moved.grow(['siem'], 3);
});
afterAll(async () => {
  for (const d of Object.values(growing ?? {})) await d.close();
});
const stopped = async (d: Deployment) => {
  d.running[0]!.kill('SIGTERM');
  return (await d.running[0]!.ended).code;
};

/** How many records each topic has: payroll, siem, partner, router, quarantine, source. */
const counts = async (d: Deployment) => {
  const { payroll, siem, partner, router, quarantine, source } = d.topics;
  const topics = { payroll, siem, partner, router, quarantine, source };
  return Object.values(await readTopics(brokers, topics, { values: false })).map((list) => list.length);
};
const toEnd = async (d: Deployment) => {
  const ran = await d.start(['--until-end']).ended;
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
};

describe.each(['exactly-once', 'at-least-once'] as const)('%s', (delivery) => {
  test('targets with fewer and with more partitions: the source’s modulo the target’s', async () => {
    const d = await deployed({
      delivery,
      partitions: 4,
      targetPartitions: { payroll: 3, siem: 1, partner: 6 },
    });
    await d.produce(200);
    await toEnd(d);
    const { payroll, siem, partner, router } = d.topics;
    const read = await readTopics(brokers, { payroll, siem, partner, router }, { values: false });
    const targets = { payroll: 3, siem: 1, partner: 6, router: 4 } as const;
    for (const [name, partitions] of Object.entries(targets)) {
      const records = read[name as keyof typeof targets];
      expect(records).toHaveLength(200);
      for (const { partition, headers } of records) {
        const source = headers.find(([header]) => header === 'claimseal-source')![1]!;
        const [, from] = Buffer.from(source, 'base64').toString().split('/');
        expect(partition).toBe(Number(from) % partitions);
      }
    }
  });

  test('one output of three too large: that event is quarantined whole, a batch of equal length follows', async () => {
    const d = await deployed({
      delivery,
      partitions: 1,
      topicConfig: { partner: { 'max.message.bytes': '20000' } },
    });
    const message = (n: number, size: number) => ({
      key: `k${n}`,
      value: JSON.stringify(event(n, size)),
      partition: 0,
    });
    await d.send([message(0, 0), message(1, 30_000), message(2, 0)]);
    await toEnd(d);
    await d.send([message(3, 0), message(4, 0), message(5, 0)]);
    await toEnd(d);
    expect(await counts(d)).toEqual([5, 5, 5, 5, 1, 6]);
  });

  test('outputs of many megabytes are split by bytes', async () => {
    const d = await deployed({ delivery, partitions: 1 });
    await d.produce(60, { size: 200_000 });
    await toEnd(d);
    expect(await counts(d)).toEqual([60, 60, 60, 60, 0, 60]);
  });

  test('a null key for a compacted topic is quarantined', async () => {
    const d = await deployed({
      delivery,
      partitions: 1,
      topicConfig: { siem: { 'cleanup.policy': 'compact' } },
    });
    await d.send([
      { key: 'k', value: JSON.stringify(event(0)), partition: 0 },
      { key: null, value: JSON.stringify(event(1)), partition: 0 },
      { key: 'k2', value: JSON.stringify(event(2)), partition: 0 },
    ]);
    await toEnd(d);
    expect(await counts(d)).toEqual([2, 2, 2, 2, 1, 3]);
  });
});

test.each([
  ['the quarantine', 'quarantine', 'pass'],
  ['an audience’s topic, where keys are dropped', 'siem', 'drop'],
] as const)('%s is refused at start when it is compacted', async (_, name, key) => {
  const d = await deployed({
    topicConfig: { [name]: { 'cleanup.policy': 'compact,delete' } },
    policy: { record: { key } },
  });
  await d.produce(4);
  const { code, stderr } = await d.start(['--until-end']).ended;
  expect(code).toBe(EXIT.halted);
  expect(stderr).toContain('claimseal: kafka.topic: ');
  expect(stderr).toContain(d.topics[name]);
  expect(await d.committed()).toEqual([-1, -1, -1, -1]);
});

test('a new source partition is taken up from 0', async () => {
  const d = growing.taken;
  await d.drained(90_000);
  expect(await stopped(d)).toBe(0);
  expect(await counts(d)).toEqual([30, 30, 30, 30, 0, 30]);
}, 100_000);

test('source and targets that grow together go on one to one', async () => {
  const d = growing.together;
  await d.drained(90_000);
  expect(await stopped(d)).toBe(0);
  const { payroll, siem, partner, router } = d.topics;
  const read = await readTopics(brokers, { payroll, siem, partner, router }, { values: false });
  for (const records of Object.values(read))
    expect(records.filter(({ partition }) => partition === 3)).toHaveLength(10);
}, 100_000);

test('a target whose growth would move records halts', async () => {
  const d = growing.moved;
  const { code, stderr } = await d.running[0]!.ended;
  expect(stderr).toContain('claimseal: kafka.partitions: ');
  expect(stderr).toContain(d.topics.siem);
  expect(stderr).toMatch(/^ {2}remedy: \S/m);
  expect(code).toBe(EXIT.halted);
  expect(await counts(d)).toEqual([20, 20, 20, 20, 0, 20]);
}, 100_000);
