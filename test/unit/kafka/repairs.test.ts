import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { joinPatiently, kafkajs, withoutAborted } from '../../../src/kafka/repairs.ts';

const record = (offset: number, producerId: string, more: object = {}) => ({
  offset: String(offset),
  key: null as Buffer | null,
  isControlRecord: false,
  batchContext: { producerId, inTransaction: true },
  ...more,
});
const marker = (offset: number, producerId: string, type: 'abort' | 'commit') =>
  record(offset, producerId, {
    isControlRecord: true,
    key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]),
  });
const data = (messages: readonly { offset: string; isControlRecord: boolean }[]) =>
  messages.filter((m) => !m.isControlRecord).map((m) => Number(m.offset));

test('overlapping aborted transactions are both left out, whatever order the broker lists them in', () => {
  const messages = [
    record(0, 'B'),
    record(1, 'B'),
    record(2, 'A'),
    marker(3, 'A', 'abort'),
    marker(4, 'B', 'abort'),
    record(5, 'A'),
    marker(6, 'A', 'commit'),
  ];
  const abortedTransactions = [
    { producerId: 'A', firstOffset: '2' },
    { producerId: 'B', firstOffset: '0' },
  ];
  expect(data(withoutAborted({ messages, abortedTransactions }))).toEqual([5]);
});

test('a record whose key is four zero bytes ends no transaction', () => {
  const messages = [
    record(0, 'A', { key: Buffer.alloc(4) }),
    record(1, 'A'),
    marker(2, 'A', 'abort'),
    record(3, 'A'),
  ];
  expect(
    data(withoutAborted({ messages, abortedTransactions: [{ producerId: 'A', firstOffset: '0' }] })),
  ).toEqual([3]);
});

test('reading from the middle of an aborted transaction shows none of it', () => {
  const messages = [record(2, 'B'), record(3, 'A'), marker(4, 'A', 'abort'), marker(5, 'B', 'abort')];
  const abortedTransactions = [
    { producerId: 'A', firstOffset: '0' },
    { producerId: 'B', firstOffset: '1' },
  ];
  expect(data(withoutAborted({ messages, abortedTransactions }))).toEqual([]);
});

test('records outside transactions and committed ones pass', () => {
  const plain = record(0, 'A', { batchContext: { producerId: 'A', inTransaction: false } });
  const messages = [plain, record(1, 'C'), marker(2, 'C', 'commit')];
  expect(
    data(withoutAborted({ messages, abortedTransactions: [{ producerId: 'A', firstOffset: '0' }] })),
  ).toEqual([0, 1]);
  expect(withoutAborted({ messages, abortedTransactions: null })).toBe(messages);
});

test("the mended copy leaves a host program's own kafkajs alone", () => {
  const require = createRequire(import.meta.url);
  const theirs = require('kafkajs') as object;
  const ours = kafkajs();
  expect(ours).not.toBe(theirs);
  expect(require('kafkajs')).toBe(theirs);
  expect(kafkajs()).toBe(ours);
});

test('a group is joined when its assigners are ready; a join that fails ends the consumer', async () => {
  const order: string[] = [];
  const assigners = [
    {},
    {
      beforeJoin: async () => {
        await new Promise(setImmediate);
        order.push('ready');
      },
    },
  ];
  const fatal = (cause: unknown) => new Error('fatal', { cause });
  await joinPatiently(assigners, async () => void order.push('joined'), fatal);
  expect(order).toEqual(['ready', 'joined']);
  const lost = Object.assign(new Error('lost'), { retriable: true });
  const failing = joinPatiently(assigners, () => Promise.reject(lost), fatal);
  await expect(failing).rejects.toMatchObject({ message: 'fatal', cause: lost });
});
