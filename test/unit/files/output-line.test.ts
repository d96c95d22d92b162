import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatOutputLine, parseOutputLine } from '../../../src/files/index.ts';

const bytes = () =>
  fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    fc.uint8Array().map((array) => Buffer.from(array)),
  );
const orNull = () => fc.option(bytes(), { nil: null });

test('what is written is read again, byte for byte', () => {
  const headers = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), bytes()));
  fc.assert(
    fc.property(orNull(), orNull(), headers, (key, value, list) => {
      const line = formatOutputLine({ topic: 't', key, value, headers: list });
      expect(line.indexOf('\n')).toBe(line.length - 1);
      const read = parseOutputLine(Buffer.from(line));
      expect([read.key, read.value]).toEqual([key, value]);
      const byName = (all: typeof read.headers) =>
        [...all].map(([name, content]) => `${name} ${content?.toString('hex')}`).sort();
      expect(byName(read.headers)).toEqual(byName(list));
    }),
  );
});

test('UTF-8 is text, anything else base64, nothing is null', () => {
  const output = {
    topic: 't',
    key: Buffer.from([0xff]),
    value: null,
    headers: [
      ['a', Buffer.from('é')],
      ['__proto__', Buffer.from('x')],
      ['a', Buffer.from([0xc3])],
    ] as const,
  };
  expect(formatOutputLine(output)).toBe(
    '{"topic":"t","key":{"base64":"/w=="},"headers":{"a":["é",{"base64":"ww=="}],"__proto__":"x"},"value":null}\n',
  );
});

describe('a line that is no output is a value by itself', () => {
  test.each([
    '{"id":"1","sealed":"x"}',
    '{"topic":"t","key":null,"headers":{},"value":"v","more":1}',
    '[1]',
    'not JSON',
    '{"topic":1,"key":null,"headers":{},"value":"v"}',
  ])('%s', (line) => {
    expect(parseOutputLine(Buffer.from(line))).toEqual({ key: null, value: Buffer.from(line), headers: [] });
  });
});

test.each([
  '{"topic":"t","key":1,"headers":{},"value":"v"}',
  '{"topic":"t","key":null,"headers":null,"value":"v"}',
  '{"topic":"t","key":null,"headers":{"a":{"b":1}},"value":"v"}',
])('members of the wrong type are refused: %s', (line) => {
  expect(() => parseOutputLine(Buffer.from(line))).toThrow(
    expect.objectContaining({ code: 'event.notJson' }),
  );
});
