import { expect, test } from 'vitest';
import type { Output } from '../../../src/event.ts';
import { fits, planChunks, recordBytes } from '../../../src/kafka/batches.ts';

const output = (topic: string, size: number, partition = 0): Output => ({
  topic,
  partition,
  key: Buffer.from('k'),
  value: Buffer.alloc(size),
  headers: [['content-type', Buffer.from('application/json')]],
  timestamp: '0',
});
const limits = { maxBytes: () => 10_000, partition: (o: Output) => o.partition };
const flat = (chunks: ReturnType<typeof planChunks>) =>
  chunks.flatMap((c) => c.sends.flatMap((s) => [...s.values()].flat()));

test('every output is sent once, in order, and no record batch exceeds its limit', () => {
  const groups = Array.from({ length: 500 }, (_, i) => [
    output('a', 900 + (i % 7)),
    output('b', 10 * (i % 90)),
  ]);
  const chunks = planChunks(groups, limits);
  for (const topic of ['a', 'b']) {
    expect(flat(chunks).filter((o) => o.topic === topic)).toEqual(
      groups.flat().filter((o) => o.topic === topic),
    );
  }
  for (const { sends } of chunks) {
    for (const send of sends) {
      for (const outputs of send.values()) {
        expect(outputs.reduce((n, o) => n + recordBytes(o), 0)).toBeLessThanOrEqual(10_000);
      }
    }
  }
});

test('the outputs of one record share a transaction, however many sends they need', () => {
  const groups = Array.from({ length: 4 }, () => Array.from({ length: 30 }, () => output('a', 900)));
  const chunks = planChunks(groups, limits);
  expect(chunks).toHaveLength(1);
  expect(chunks[0]!.end).toBe(4);
  expect(chunks[0]!.sends.length).toBeGreaterThan(10);
});

test('a long batch becomes several transactions that end at record borders', () => {
  const groups = Array.from({ length: 5001 }, () => [output('a', 10), output('b', 10)]);
  const chunks = planChunks(groups, limits);
  expect(chunks.map((c) => c.end)).toEqual([2000, 4000, 5001]);
  expect(flat(chunks)).toHaveLength(10_002);
});

test('records without outputs still move the offset', () => {
  expect(planChunks([[], [], []], limits)).toEqual([{ end: 3, sends: [] }]);
  expect(planChunks([], limits)).toEqual([]);
});

test('partitions of one topic do not share a budget', () => {
  const groups = Array.from({ length: 16 }, (_, i) => [output('a', 4_000, i % 8)]);
  expect(planChunks(groups, limits)[0]!.sends).toHaveLength(1);
});

test('an output that cannot fit alone is told apart', () => {
  expect(fits(output('a', 9_000), 10_000)).toBe(true);
  expect(fits(output('a', 10_000), 10_000)).toBe(false);
});
