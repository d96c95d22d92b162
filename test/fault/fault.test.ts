/** The short form; `npm run test:fault` is the long one. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type OpenLab, openLab } from './lab.ts';
import {
  brokerPaused,
  kills,
  lostCommitAnswer,
  onePartitionHeld,
  stoppedAfterOffsets,
  stoppedBeforeEpoch,
} from './scenarios.ts';

let lab: OpenLab;
beforeAll(async () => {
  lab = await openLab();
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

test('with partition 0 held the others go on', () => onePartitionHeld(lab, 6_000), LIMIT_MS);
