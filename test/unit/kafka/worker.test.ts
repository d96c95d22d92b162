/** One partition's worker between ports of our own: what it commits, and how it ends. */
import type { KafkaMessage } from 'kafkajs';
import { expect, test, vi } from 'vitest';
import { ClaimsealError } from '../../../src/errors.ts';
import type { Notice } from '../../../src/event.ts';
import type { Session } from '../../../src/kafka/session.ts';
import { type Fetch, PartitionWorker, type WorkerPorts } from '../../../src/kafka/worker.ts';

const SLOT = { topic: 't', partition: 0 };

interface World {
  /** The log, and what the group committed; undefined for never. */
  low: bigint;
  high: bigint;
  committed: bigint | undefined;
}

function start(world: World, more: Partial<WorkerPorts> = {}, after?: Promise<void>) {
  const seen = {
    halted: [] as ClaimsealError[],
    notices: [] as Notice[],
    fetchedFrom: [] as bigint[],
    delivered: [] as string[],
    moves: [] as (readonly [bigint, bigint | undefined])[],
    closed: 0,
  };
  const openSession = async (): Promise<Session> => {
    let position = world.committed;
    return {
      get position() {
        return position;
      },
      deliver: async (outputs, _nextOf, next) => {
        seen.delivered.push(`${outputs.length} to ${next}`);
        position = next;
        world.committed = next;
      },
      close: async () => {
        seen.closed += 1;
      },
    };
  };
  const ports: WorkerPorts = {
    openSession,
    fetchFrom: (_slot, offset) => seen.fetchedFrom.push(offset),
    range: async () => ({ low: world.low, high: world.high }),
    commit: async () => {},
    end: () => undefined,
    acceptGap: false,
    each: (batch) => batch.deliver(batch.records.map(() => [])),
    moved: (_slot, position, highWatermark) => seen.moves.push([position, highWatermark]),
    judge: (error) => error,
    recover: async () => {},
    halt: (error) => seen.halted.push(error),
    observe: (notice) => seen.notices.push(notice),
    ...more,
  };
  return { worker: new PartitionWorker(SLOT, ports, after), seen };
}

const message = (offset: number) =>
  ({
    offset: String(offset),
    timestamp: '0',
    key: null,
    value: Buffer.from('v'),
    headers: {},
  }) as KafkaMessage;
const fetch = (from: number, offsets: readonly number[], next: number): Fetch => ({
  ...{ from: BigInt(from), messages: offsets.map(message), next: BigInt(next), highWatermark: 100n },
});

test('begins at the committed offset, commits what a fetch covered, and reports lag by what the fetch knew', async () => {
  const { worker, seen } = start({ low: 0n, high: 100n, committed: 5n });
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n]));
  worker.offer(fetch(5, [5, 6], 9)); // 7 and 8 are control records
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n, 9n]));
  expect(seen.delivered).toEqual(['2 to 9']);
  expect(seen.moves).toEqual([
    [5n, undefined],
    [9n, 100n],
  ]);
  worker.offer(fetch(9, [], 12)); // nothing but control records
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n, 9n, 12n]));
  expect(seen.delivered).toEqual(['2 to 9', '0 to 12']);
  worker.close();
  await vi.waitFor(() => expect(seen.closed).toBe(1));
  expect(seen.halted).toEqual([]);
});

test('a fetch from before its position delivers nothing twice', async () => {
  const { worker, seen } = start({ low: 0n, high: 100n, committed: 5n });
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n]));
  worker.offer(fetch(3, [3, 4, 5], 6));
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n, 6n]));
  expect(seen.delivered).toEqual(['1 to 6']);
  worker.offer(fetch(3, [3, 4, 5], 6));
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n, 6n, 6n]));
  expect(seen.delivered).toEqual(['1 to 6']);
  worker.close();
});

test('a fetch from behind its position is not taken: what lies between may be unread', async () => {
  const { worker, seen } = start({ low: 0n, high: 100n, committed: 5n });
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n]));
  worker.offer(fetch(8, [8], 9));
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([5n, 5n]));
  expect(seen.delivered).toEqual([]);
  worker.close();
});

test('stops at the end it was given, and commits no further', async () => {
  const { worker, seen } = start({ low: 0n, high: 100n, committed: undefined }, { end: () => 2n });
  await vi.waitFor(() => expect(seen.fetchedFrom).toEqual([0n]));
  worker.offer(fetch(0, [0, 1, 2, 3], 4));
  await vi.waitFor(() => expect(seen.delivered).toEqual(['2 to 2']));
  expect(seen.fetchedFrom).toEqual([0n]);
  worker.close();
});

test.each([
  ['what retention took', { low: 7n, high: 100n, committed: 5n }, 'retention removed 5 to 6'],
  ['an end before its position', { low: 0n, high: 3n, committed: 5n }, 'found 3 as the end'],
])('%s halts with the range', async (_, world, found) => {
  const { worker, seen } = start(world);
  await vi.waitFor(() => expect(seen.halted).toHaveLength(1), 5000);
  expect(seen.halted[0]).toMatchObject({ code: 'kafka.gap', place: { ...SLOT, offset: '5' } });
  expect(seen.halted[0]!.message).toContain(found);
  worker.close();
});

test('a worker that is closed while it waits for the end of the log does not halt the process', async () => {
  let asked = 0;
  const range = async () => {
    asked += 1;
    return { low: 0n, high: 3n };
  };
  const { worker, seen } = start({ low: 0n, high: 3n, committed: 5n }, { range });
  await vi.waitFor(() => expect(asked).toBe(1));
  worker.close();
  await vi.waitFor(() => expect(seen.closed).toBe(1));
  expect(seen.halted).toEqual([]);
});

test('what may pass opens a new session at the committed offset; what cannot halts', async () => {
  let failures = 2;
  const { worker, seen } = start(
    { low: 0n, high: 100n, committed: 5n },
    {
      each: async (batch) => {
        failures -= 1;
        if (failures >= 0) throw new ClaimsealError('kafka.session', 'not now');
        await batch.deliver([[]]);
      },
    },
  );
  for (const opened of [1, 2, 3]) {
    await vi.waitFor(() => expect(seen.fetchedFrom).toHaveLength(opened), 3000);
    worker.offer(fetch(5, [5], 6));
  }
  await vi.waitFor(() => expect(seen.delivered).toEqual(['1 to 6']));
  expect(seen.fetchedFrom.slice(0, 3)).toEqual([5n, 5n, 5n]);
  expect(seen.notices.filter(({ type }) => type === 'retry')).toHaveLength(2);
  worker.close();
});

test('is drained only when the worker before it is', async () => {
  let before = () => {};
  const after = new Promise<void>((resolve) => {
    before = resolve;
  });
  const { worker } = start({ low: 0n, high: 0n, committed: 0n }, {}, after);
  let drained = false;
  const waiting = worker.drained().then(() => {
    drained = true;
  });
  worker.close();
  await new Promise(setImmediate);
  expect(drained).toBe(false);
  before();
  await waiting;
});
