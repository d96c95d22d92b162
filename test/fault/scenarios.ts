/**
 * What goes wrong in production, each at the exact request where it would hurt. The proxies stand between the
 * broker and one instance each; the judge is Java's read_committed consumer.
 */
import { type Running, until } from '../support/built.ts';
import { type Deployment, type DeploymentOptions, deploy } from '../support/deployment.ts';
import { readTopics } from '../support/java.ts';
import { API, type FaultProxy, type Request, transactionalId } from './proxy.ts';

export interface Lab {
  readonly brokers: readonly string[];
  /** One for each instance; what an instance connects to. */
  readonly proxies: readonly [FaultProxy, FaultProxy];
  /** Stops the broker's process in its tracks, and lets it go on. */
  readonly pause: () => void;
  readonly resume: () => void;
}

export type Delivery = 'exactly-once' | 'at-least-once';

/** Every output topic, judged. Throws with what is missing, doubled or out of order. */
export async function judge(
  lab: Lab,
  d: Deployment,
  count: number,
  delivery: Delivery = 'exactly-once',
): Promise<void> {
  const faults: string[] = [];
  const { source: _, quarantine: __, ...topics } = d.topics;
  const outputs = await readTopics(lab.brokers, topics, { values: false });
  for (const [name, records] of Object.entries(outputs)) {
    const bySource = new Map<string, number[]>();
    for (const { headers } of records) {
      const source = headers.find(([header]) => header === 'claimseal-source')![1]!;
      const [, partition, offset] = Buffer.from(source, 'base64').toString().split('/') as [
        string,
        string,
        string,
      ];
      const list = bySource.get(partition);
      if (list) list.push(Number(offset));
      else bySource.set(partition, [Number(offset)]);
    }
    let distinct = 0;
    for (const [partition, offsets] of bySource) {
      distinct += new Set(offsets).size;
      if (delivery === 'at-least-once') continue;
      const expected = [...offsets].sort((a, b) => a - b);
      if (new Set(offsets).size !== offsets.length)
        faults.push(`${name}/${partition}: ${offsets.length - new Set(offsets).size} twice`);
      if (offsets.some((offset, i) => offset !== expected[i]))
        faults.push(`${name}/${partition}: out of order`);
    }
    if (distinct !== count) faults.push(`${name}: ${distinct} of ${count} events`);
  }
  if (faults.length > 0) throw new Error(faults.join('; '));
}

/** Fails when a committed offset goes back, from now until it is called. */
export function watchOffsets(d: Deployment): () => Promise<void> {
  const highest: number[] = [];
  const faults: string[] = [];
  let stopped = false;
  const watching = until(
    'the watch to end',
    async () => {
      const now = await d.committed().catch(() => [] as number[]);
      for (const [partition, offset] of now.entries()) {
        if (offset < (highest[partition] ?? -1))
          faults.push(`partition ${partition} went from ${highest[partition]} back to ${offset}`);
        highest[partition] = Math.max(highest[partition] ?? -1, offset);
      }
      return stopped;
    },
    3_600_000,
  );
  return async () => {
    stopped = true;
    await watching;
    if (faults.length > 0) throw new Error(faults.join('; '));
  };
}

const idOf = (d: Deployment, partition: number) => `claimseal/${d.groupId}/${d.topics.source}/${partition}`;
const forPartition = (d: Deployment, partition: number, apiKey: number) => (r: Request) =>
  r.apiKey === apiKey && transactionalId(r) === idOf(d, partition);

function instance(lab: Lab, d: Deployment, index: 0 | 1): Running {
  const config = d.configure({
    via: [`127.0.0.1:${lab.proxies[index].port}`],
    file: `instance-${index}.yaml`,
  });
  return d.start([], { config });
}

async function stopAll(...running: readonly Running[]): Promise<void> {
  for (const r of running) r.kill('SIGTERM');
  for (const r of running) {
    const { code, signal, stderr } = await r.ended;
    if (code !== 0)
      throw new Error(`expected exit code 0 after SIGTERM, got ${code ?? signal}\n${stderr.slice(-3000)}`);
  }
}

/** Runs one scenario on a deployment of its own: offsets watched, drained, stopped, judged. */
async function scenario(
  lab: Lab,
  options: Partial<DeploymentOptions> & { events: number; size?: number; judgedAs?: Delivery },
  act: (d: Deployment) => Promise<{ running: readonly Running[]; more?: number }>,
): Promise<void> {
  const d = await deploy({ brokers: lab.brokers, partitions: 2, ...options });
  try {
    await d.produce(options.events, { size: options.size ?? 0 });
    const check = watchOffsets(d);
    const { running, more = 0 } = await act(d);
    await d.drained(60_000 + options.events);
    await stopAll(...running);
    if (options.delivery !== 'at-least-once') await check();
    else await check().catch(() => {});
    await judge(lab, d, options.events + more, options.judgedAs ?? options.delivery ?? 'exactly-once');
  } catch (error) {
    const logs = d.running.slice(-2).map((r) => `-- pid ${r.pid}\n${r.stderr().slice(-1500)}`);
    throw new Error(`${(error as Error).message}\n${logs.join('\n')}`, { cause: error });
  } finally {
    await d.close();
  }
}

/** An owner is stopped before it has an epoch; it wakes, and takes the epoch from the one that took over. */
export function stoppedBeforeEpoch(lab: Lab): Promise<void> {
  return scenario(lab, { events: 3000 }, async (d) => {
    const held = lab.proxies[0].hold(forPartition(d, 0, API.InitProducerId));
    const a = instance(lab, d, 0);
    await held.arrived;
    a.kill('SIGSTOP');
    const b = instance(lab, d, 1);
    await d.drained(60_000);
    held.release();
    a.kill('SIGCONT');
    await d.produce(2000, { from: 3000 });
    return { running: [a, b], more: 2000 };
  });
}

/**
 * An owner is stopped with its offsets sent and its commit on the way. The commit reaches the broker: when the
 * next owner has finished (`late`), between its group's offset fetch and its epoch (`beforeEpoch`), or between its
 * epoch and its session's offset fetch (`afterEpoch`).
 */
export function stoppedAfterOffsets(lab: Lab, when: 'late' | 'beforeEpoch' | 'afterEpoch'): Promise<void> {
  return scenario(lab, { events: 3000 }, async (d) => {
    const [first, second] = lab.proxies;
    const commit = first.hold(forPartition(d, 0, API.EndTxn));
    const a = instance(lab, d, 0);
    await commit.arrived;
    a.kill('SIGSTOP');

    if (when === 'late') {
      const b = instance(lab, d, 1);
      await d.drained(60_000);
      commit.release();
      a.kill('SIGCONT');
      await d.produce(1000, { from: 3000 });
      return { running: [a, b], more: 1000 };
    }
    if (when === 'beforeEpoch') {
      const epoch = second.hold(forPartition(d, 0, API.InitProducerId));
      const fetched = second.answered((r) => r.apiKey === API.OffsetFetch);
      const b = instance(lab, d, 1);
      await Promise.all([epoch.arrived, fetched]);
      const committed = first.answered(forPartition(d, 0, API.EndTxn));
      commit.release();
      await committed;
      epoch.release();
      await d.drained(60_000);
      a.kill('SIGCONT');
      return { running: [a, b] };
    }
    const epoch = second.answered(forPartition(d, 0, API.InitProducerId));
    const b = instance(lab, d, 1);
    await epoch;
    const fetch = second.hold((r) => r.apiKey === API.OffsetFetch);
    await fetch.arrived;
    const refused = first.answered(forPartition(d, 0, API.EndTxn));
    commit.release();
    await refused;
    fetch.release();
    await d.drained(60_000);
    a.kill('SIGCONT');
    return { running: [a, b] };
  });
}

/** The broker carries out a commit and its answer is lost. */
export function lostCommitAnswer(lab: Lab): Promise<void> {
  return scenario(lab, { events: 4000, size: 700 }, async (d) => {
    const lost = lab.proxies[0].loseAnswer(forPartition(d, 1, API.EndTxn));
    const a = instance(lab, d, 0);
    await lost;
    return { running: [a] };
  });
}

/** Two instances; `kills` times one is killed with a transaction open or a send unacknowledged. */
export function kills(
  lab: Lab,
  options: { events: number; kills: number; delivery?: Delivery },
): Promise<void> {
  const { events, kills: wanted, delivery = 'exactly-once' } = options;
  return scenario(lab, { events, delivery, partitions: 4 }, async (d) => {
    const running = [instance(lab, d, 0), instance(lab, d, 1)];
    // Events arrive all the while, so that there is always a transaction to kill in.
    const step = Math.ceil(events / 10_000);
    let sent = 0;
    let over = false;
    const feed = until(
      'the feed to end',
      async () => {
        await d.produce(step, { from: events + sent });
        sent += step;
        return over;
      },
      3_600_000,
    );
    const points =
      delivery === 'exactly-once'
        ? [API.EndTxn, API.Produce, API.TxnOffsetCommit, API.EndTxn]
        : [API.Produce];
    try {
      for (let i = 0; i < wanted; i += 1) {
        const index = (i % 2) as 0 | 1;
        const held = lab.proxies[index].hold((r) => r.apiKey === points[i % points.length]);
        await Promise.race([
          held.arrived,
          running[index]!.ended.then(({ code, stderr }) => {
            throw new Error(`instance ended by itself with ${code}\n${stderr.slice(-3000)}`);
          }),
        ]);
        running[index]!.kill('SIGKILL');
        await running[index]!.ended;
        held.release();
        running[index] = instance(lab, d, index);
      }
    } finally {
      over = true;
      await feed;
    }
    return { running, more: sent };
  });
}

/** An owner is in mid-batch when another instance joins: it finishes first, so that nothing comes twice, even without a fence. */
export function ordinaryRebalance(lab: Lab, delivery: Delivery): Promise<void> {
  return scenario(lab, { events: 20, delivery, judgedAs: 'exactly-once' }, async (d) => {
    const held = lab.proxies[0].hold(({ apiKey }) => apiKey === API.Produce);
    const a = instance(lab, d, 0);
    await held.arrived;
    const b = instance(lab, d, 1);
    await until(
      'the group to rebalance',
      async () => (await d.admin.describeGroups([d.groupId])).groups[0]?.state === 'PreparingRebalance',
      20_000,
    );
    await d.produce(20, { from: 20 });
    held.release();
    return { running: [a, b], more: 20 };
  });
}

/** The broker stands still for `ms` in mid-transaction, then goes on. */
export function brokerPaused(lab: Lab, ms: number): Promise<void> {
  return scenario(lab, { events: 6000, size: 600, kafka: { transactionTimeout: '10s' } }, async (d) => {
    const commit = lab.proxies[0].hold(forPartition(d, 0, API.EndTxn));
    const a = instance(lab, d, 0);
    await commit.arrived;
    lab.pause();
    try {
      const end = Date.now() + ms;
      await until('the pause', () => Date.now() > end, ms + 1000);
    } finally {
      lab.resume();
    }
    commit.release();
    return { running: [a] };
  });
}

/** One partition cannot commit; the others go on. */
export function onePartitionHeld(lab: Lab, ms: number): Promise<void> {
  return scenario(lab, { events: 2000, partitions: 4 }, async (d) => {
    const held = lab.proxies[0].hold(forPartition(d, 0, API.AddPartitionsToTxn));
    const a = instance(lab, d, 0);
    await held.arrived;
    const end = Date.now() + ms;
    let produced = 2000;
    do {
      await d.produce(400, { from: produced });
      produced += 400;
      const wanted = produced / 4;
      await until(
        'the other partitions to commit while partition 0 is held',
        async () => (await d.committed()).slice(1).every((offset) => offset === wanted),
        5000,
      );
      const [first] = await d.committed();
      if (first !== -1) throw new Error(`partition 0 was to be held, but committed ${first}`);
    } while (Date.now() < end);
    held.release();
    return { running: [a], more: produced - 2000 };
  });
}
