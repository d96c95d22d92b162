import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../../src/policy/index.ts';
import { configOf, recordOf } from './support.ts';

/** Shows what would be hashed, and with which secret. */
const hmac =
  (secret: Buffer) =>
  (...parts: Buffer[]) =>
    [secret, ...parts].map(String).join('|');
const plan = (record: object) => compilePolicy(configOf({ record }), { digest: 'digest', hmac });
const secret = 'a secret of 16 bytes';
const bytes = Buffer.from;
const headers = (record: object, from = {}) =>
  plan(record)
    .recordHeaders('payroll', recordOf(from), 'application/json')
    .map(([name, value]) => [name, String(value)]);

describe('record key', () => {
  test.each([
    ['pass', 'k'],
    ['drop', null],
    ['hmac', `${secret}|key|payroll|k`],
  ])('%s', (key, expected) => {
    const found = plan({ key, secret }).recordKey('payroll', bytes('k'));
    expect(found === null ? null : String(found)).toBe(expected);
    expect(plan({ key, secret }).recordKey('payroll', null)).toBeNull();
  });
  test('hmac tells audiences apart', () => {
    const { recordKey } = plan({ key: 'hmac', secret });
    expect(recordKey('payroll', bytes('k'))).not.toEqual(recordKey('siem', bytes('k')));
  });
});

describe('record headers', () => {
  const own = [
    ['content-type', 'application/json'],
    ['claimseal-source', 'events/3/42'],
    ['claimseal-policy', 'digest'],
  ];
  test('only those of the list, each as often as it is there; one without a value is not passed on', () => {
    const from = {
      headers: [
        ['a', bytes('1')],
        ['secret', bytes('planted')],
        ['a', bytes('2')],
        ['A', bytes('3')],
        ['b', null],
      ],
    };
    expect(headers({ key: 'drop' }, from)).toEqual(own);
    expect(headers({ key: 'drop', headers: ['a', 'b'] }, from)).toEqual([['a', '1'], ['a', '2'], ...own]);
  });
  test('source: hmac shows no coordinates, off shows nothing', () => {
    expect(headers({ key: 'drop', source: 'hmac', secret })).toContainEqual([
      'claimseal-source',
      `${secret}|source|payroll|events/3/42`,
    ]);
    expect(headers({ key: 'drop', source: 'off' }).map(([name]) => name)).toEqual([
      'content-type',
      'claimseal-policy',
    ]);
  });
});
