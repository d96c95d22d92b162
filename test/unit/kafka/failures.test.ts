import { expect, test } from 'vitest';
import { ClaimsealError } from '../../../src/errors.ts';
import type { Output } from '../../../src/event.ts';
import { kafkaFailure, Strikes } from '../../../src/kafka/failures.ts';
import { sendAll } from '../../../src/kafka/session.ts';
import type { Topology } from '../../../src/kafka/topology.ts';

const protocol = (type: string, more: object = {}) =>
  Object.assign(new Error('quotes a value'), { name: 'KafkaJSProtocolError', type, ...more });

test.each([
  ['a refused password', protocol('SASL_AUTHENTICATION_FAILED'), 'kafka.credentials'],
  ['a record without a key on a compacted topic', protocol('INVALID_RECORD'), 'kafka.topic'],
  [
    'a broker that is away',
    Object.assign(new Error(), { name: 'KafkaJSConnectionError' }),
    'kafka.unavailable',
  ],
  ['a lost epoch', protocol('INVALID_PRODUCER_EPOCH'), 'kafka.session'],
  [
    'what stands among several',
    Object.assign(new Error(), { errors: [protocol('TOPIC_AUTHORIZATION_FAILED')] }),
    'kafka.credentials',
  ],
  [
    'what stands below another',
    new Error('x', { cause: protocol('GROUP_AUTHORIZATION_FAILED') }),
    'kafka.credentials',
  ],
])('%s', (_, thrown, code) => {
  const error = kafkaFailure(thrown);
  expect(error.code).toBe(code);
  expect(error.message).not.toContain('quotes a value');
});

test('an error that names itself ends the search', () => {
  const circular: Error & { cause?: unknown } = new Error('a');
  circular.cause = circular;
  expect(kafkaFailure(circular).code).toBe('kafka.session');
});

test.each([
  ['a limit of the topic', kafkaFailure(protocol('MESSAGE_TOO_LARGE'))],
  ['a clock that is ahead', kafkaFailure(protocol('INVALID_TIMESTAMP'))],
  ['a fault of the client itself', kafkaFailure(new TypeError('x'))],
  ['a batch that is damaged', new ClaimsealError('kafka.corrupt', 'damaged')],
])('%s halts when it repeats, not at once and not for ever', (_, error) => {
  const strikes = new Strikes();
  for (let n = 0; n < 5; n += 1) expect(strikes.judge('t/0', error)).toBe(error);
  expect(strikes.judge('t/0', error)).toMatchObject({ code: 'kafka.refused', disposition: 'halt' });
});

test('a success in between restores strikes; a broker that is away never wears it out', () => {
  const strikes = new Strikes();
  const stubborn = kafkaFailure(protocol('MESSAGE_TOO_LARGE'));
  for (let n = 0; n < 20; n += 1) {
    if (n % 5 === 0) strikes.clear('t/0');
    expect(strikes.judge('t/0', stubborn)).toBe(stubborn);
  }
  for (let n = 0; n < 5; n += 1) strikes.judge('t/1', stubborn);
  strikes.clear('t/0');
  expect(strikes.judge('t/1', stubborn), 'another partition’s success is none of its own').toMatchObject({
    code: 'kafka.refused',
  });
  const stumbled = kafkaFailure(
    Object.assign(new Error(), { name: 'KafkaJSConnectionError', cause: new TypeError('of null') }),
  );
  for (let n = 0; n < 100; n += 1) expect(strikes.judge('t/0', stumbled)).toBe(stumbled);
  const away = kafkaFailure(Object.assign(new Error(), { name: 'KafkaJSConnectionError' }));
  for (let n = 0; n < 100; n += 1) expect(strikes.judge('t/0', away)).toBe(away);
});

test.each([
  ['one partition twice', [0, 0, 1]],
  ['one partition not at all', [0]],
])('a send that acknowledges %s is no success', async (_, partitions) => {
  const output = (partition: number): Output => ({
    ...{ topic: 't', partition, key: null, value: Buffer.from('v'), headers: [], timestamp: '0' },
  });
  const topology = { partition: ({ partition }: Output) => partition } as Topology;
  const to = (answered: readonly number[]) => ({
    sendBatch: async () => answered.map((partition) => ({ topicName: 't', partition, errorCode: 0 })),
  });
  const send = new Map([['t', [output(0), output(1)]]]);
  await expect(sendAll(to([0, 1]), send, topology)).resolves.toBeUndefined();
  await expect(sendAll(to(partitions), send, topology)).rejects.toMatchObject({ code: 'kafka.session' });
});
