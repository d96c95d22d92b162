/** Partition counts that differ or grow, limits of topics, compaction: nothing missing, or a halt with a remedy. */
import { afterEach, describe, expect, test } from 'vitest';
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

test('growth while it runs: a new source partition is taken up from 0, a moved target halts', async () => {
  const [taken, moved, together] = [
    await deployed({ partitions: 2 }),
    await deployed({ partitions: 4, targetPartitions: { siem: 2 } }),
    await deployed({ partitions: 2 }),
  ];
  for (const d of [taken, moved, together]) await d.produce(20);
  const running = [taken.start(), moved.start()] as const;
  const both = together.start();
  for (const d of [taken, moved, together]) await d.drained(20_000);

  const { payroll, siem, partner, router } = together.topics;
  await together.grow(['payroll', 'siem', 'partner', 'router', 'quarantine', 'source'], 4);
  await together.produce(10, { from: 20, partition: 3 });

  await taken.grow(['source'], 3);
  await taken.produce(10, { from: 20, partition: 2 });
  await moved.grow(['siem'], 3);

  await taken.drained(90_000);
  running[0].kill('SIGTERM');
  expect((await running[0].ended).code).toBe(0);
  expect(await counts(taken)).toEqual([30, 30, 30, 30, 0, 30]);

  await together.drained(90_000);
  both.kill('SIGTERM');
  expect((await both.ended).code).toBe(0);
  const read = await readTopics(brokers, { payroll, siem, partner, router }, { values: false });
  for (const records of Object.values(read))
    expect(records.filter((r) => r.partition === 3)).toHaveLength(10);

  const { code, stderr } = await running[1].ended;
  expect(stderr).toContain('claimseal: kafka.partitions: ');
  expect(stderr).toContain(moved.topics.siem);
  expect(stderr).toMatch(/^ {2}remedy: \S/m);
  expect(code).toBe(EXIT.halted);
  expect(await counts(moved)).toEqual([20, 20, 20, 20, 0, 20]);
}, 180_000);
