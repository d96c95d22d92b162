/** The short form; `npm run test:fault` is the long one. */
import { afterAll, beforeAll, describe, expect, test as vitestTest } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { canStartBroker } from '../support/broker.ts';
import { until } from '../support/built.ts';
import { deploy } from '../support/deployment.ts';
import { BEYOND_LOOPBACK, type OpenLab, openLab } from './lab.ts';
import {
  brokerPaused,
  kills,
  lostCommitAnswer,
  onePartitionHeld,
  ordinaryRebalance,
  stoppedAfterOffsets,
  stoppedBeforeEpoch,
} from './scenarios.ts';

/** A broker of somebody else's is not ours to stop. */
const able = await canStartBroker();
const test = able ? vitestTest : vitestTest.skip;

let lab: OpenLab;
beforeAll(async () => {
  if (able) lab = await openLab();
}, 120_000);
afterAll(() => lab?.close());

const LIMIT_MS = 120_000;

describe('exactly once, nothing twice, nothing missing, offsets never back', () => {
  test('killed with a transaction open', () => kills(lab, { events: 4000, kills: 4 }), LIMIT_MS);
  test('stopped before its epoch', () => stoppedBeforeEpoch(lab), LIMIT_MS);
  test('stopped after its offsets, commit late', () => stoppedAfterOffsets(lab, 'late'), LIMIT_MS);
  test(
    'its commit arrives between the next owner’s join and epoch',
    () => stoppedAfterOffsets(lab, 'beforeEpoch'),
    LIMIT_MS,
  );
  test(
    'its commit arrives between the next owner’s epoch and position',
    () => stoppedAfterOffsets(lab, 'afterEpoch'),
    LIMIT_MS,
  );
  test('the answer to a commit is lost', () => lostCommitAnswer(lab), LIMIT_MS);
  test('the broker stands still in mid-transaction', () => brokerPaused(lab, 12_000), LIMIT_MS);
});

test(
  'at least once: killed with sends unacknowledged, nothing missing',
  () => kills(lab, { events: 4000, kills: 3, delivery: 'at-least-once' }),
  LIMIT_MS,
);

test.each(['exactly-once', 'at-least-once'] as const)(
  '%s: an instance joins in mid-batch, nothing twice',
  (delivery) => ordinaryRebalance(lab, delivery),
  LIMIT_MS,
);

test('with partition 0 held the others go on', () => onePartitionHeld(lab, 6_000), LIMIT_MS);

test('a broker on loopback that sends its clients beyond is not followed unencrypted', async () => {
  const d = await deploy({ brokers: lab.brokers, via: [lab.beyond] });
  try {
    const { code, stderr } = await d.start(['--until-end']).ended;
    expect(stderr).toContain('claimseal: kafka.plaintext: ');
    expect(stderr).toContain(BEYOND_LOOPBACK);
    expect(code).toBe(EXIT.halted);
  } finally {
    await d.close();
  }
});

test('a second signal ends it at once, with the broker out of reach', async () => {
  const d = await deploy({ brokers: lab.brokers });
  try {
    await d.produce(2000);
    const running = d.start();
    await until('the first commits', async () => (await d.committed()).some((offset) => offset > 0), 20_000);
    await lab.pause();
    running.kill('SIGTERM');
    await until('the drain', () => running.stderr().includes('SIGTERM'));
    running.kill('SIGTERM');
    const { code } = await running.ended;
    expect(code).toBe(143);
  } finally {
    await lab.resume();
    await d.close();
  }
});
