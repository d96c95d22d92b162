/**
 * `npm run test:fault`: the long form. 100,000 events with 24 kills in each mode, every SIGSTOP point, the broker
 * away for a minute, a lost commit answer, a partition held for 30 s. About 15 minutes; exit code 1 at the first
 * event that is missing, doubled or out of order.
 *
 *   npm run test:fault -- [NAME ...]
 */
import { build } from '../support/built.ts';
import { openLab } from './lab.ts';
import {
  brokerPaused,
  kills,
  type Lab,
  lostCommitAnswer,
  onePartitionHeld,
  ordinaryRebalance,
  stoppedAfterOffsets,
  stoppedBeforeEpoch,
} from './scenarios.ts';

const SCENARIOS: Readonly<Record<string, (lab: Lab) => Promise<void>>> = {
  'kills-exactly-once': (lab) => kills(lab, { events: 100_000, kills: 24 }),
  'kills-at-least-once': (lab) => kills(lab, { events: 100_000, kills: 24, delivery: 'at-least-once' }),
  'stopped-before-epoch': stoppedBeforeEpoch,
  'stopped-after-offsets': (lab) => stoppedAfterOffsets(lab, 'late'),
  'commit-before-epoch': (lab) => stoppedAfterOffsets(lab, 'beforeEpoch'),
  'commit-after-epoch': (lab) => stoppedAfterOffsets(lab, 'afterEpoch'),
  'commit-answer-lost': lostCommitAnswer,
  'broker-paused': (lab) => brokerPaused(lab, 60_000),
  'joined-in-mid-batch': (lab) => ordinaryRebalance(lab, 'at-least-once'),
  'partition-held': (lab) => onePartitionHeld(lab, 30_000),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in SCENARIOS));
if (unknown.length > 0) {
  process.stderr.write(
    `expected some of ${Object.keys(SCENARIOS).join(', ')}, found ${unknown.join(', ')}\n`,
  );
  process.exit(2);
}

await build();
const lab = await openLab();
let failed = 0;
for (const [name, run] of Object.entries(SCENARIOS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const began = Date.now();
  const fault = await run(lab).then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (fault !== undefined) failed += 1;
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  process.stdout.write(
    `${fault === undefined ? 'held  ' : 'FAILED'} ${name}, ${seconds} s${fault ? `\n${fault}` : ''}\n`,
  );
}
await lab.close();
process.exit(failed === 0 ? 0 : 1);
