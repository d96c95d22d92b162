/**
 * Events a second through a real broker: `claimseal run` against bare kafkajs that copies the same output bytes.
 * Both are processes of their own; the clock is the broker's (LogAppendTime of the outputs).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { start } from '../support/built.ts';
import { type Deployment, deploy, READERS } from '../support/deployment.ts';
import { readAll } from '../support/java.ts';

export interface StreamRow {
  readonly delivery: 'exactly-once' | 'at-least-once';
  readonly events: number;
  readonly outputsPerEvent: number;
  /** Events a second, one figure a round. */
  readonly claimseal: readonly number[];
  readonly copy: readonly number[];
}

const OUTPUTS = [...READERS, 'router'] as const;
const COPY = resolve(import.meta.dirname, 'copy.mjs');
const ON_BROKER_TIME = { 'message.timestamp.type': 'LogAppendTime' };

export async function benchStream(
  brokers: readonly string[],
  delivery: StreamRow['delivery'],
  { events, rounds }: { events: number; rounds: number },
): Promise<StreamRow> {
  const claimseal: number[] = [];
  const copy: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const d = await deploy({
      brokers,
      delivery,
      topicConfig: Object.fromEntries(OUTPUTS.map((name) => [name, ON_BROKER_TIME])),
    });
    try {
      await d.produce(events, { size: 200 });
      const from = OUTPUTS.map((name) => d.topics[name]);
      const running = start(['run', '--config', d.config, '--until-end']);
      const { code, stdout, stderr } = await running.ended;
      if (code !== 0) throw new Error(`claimseal ended with ${code}\n${stdout.slice(-2000)}${stderr}`);
      claimseal.push(await rate(brokers, from, events));

      const to = from.map((topic) => `${topic}-copy`);
      const configEntries = Object.entries(ON_BROKER_TIME).map(([name, value]) => ({ name, value }));
      await d.admin.createTopics({ topics: to.map((topic) => ({ topic, numPartitions: 4, configEntries })) });
      await runCopy(d, { brokers, from, to, delivery, total: events });
      copy.push(await rate(brokers, to, events));
    } finally {
      await d.close();
    }
  }
  return { delivery, events, outputsPerEvent: OUTPUTS.length, claimseal, copy };
}

async function runCopy(d: Deployment, options: Record<string, unknown>): Promise<void> {
  const file = join(d.dir, 'copy.json');
  writeFileSync(file, JSON.stringify({ ...options, group: `${d.groupId}-copy`, source: d.topics.source }));
  const child = spawn(process.execPath, [COPY, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exit]);
  child.stdin.end('go\n');
  const [code] = await exit;
  if (code !== 0) throw new Error(`the copying peer ended with ${code}`);
}

/** Events a second between the first and the last append to any of the topics. */
async function rate(brokers: readonly string[], topics: readonly string[], events: number): Promise<number> {
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const topic of topics) {
    const records = await readAll(brokers, topic, { values: false });
    if (records.length !== events) throw new Error(`${topic}: ${records.length} of ${events} records`);
    for (const { timestamp } of records) {
      first = Math.min(first, Number(timestamp));
      last = Math.max(last, Number(timestamp));
    }
  }
  return (events * 1000) / (last - first);
}
