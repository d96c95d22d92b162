import { describe, expect, it } from 'vitest';
import { agrees, createJsonCodec, find, sameValue, without } from '../../../src/codec/index.ts';

const codec = createJsonCodec({ maxBytes: 4_000_000, maxDepth: 64 });
const decode = (text: string) => codec.decode(Buffer.from(text));
const same = (a: string, b: string) => compare(sameValue, a, b);

function compare(how: typeof sameValue, a: string, b: string): boolean {
  const x = decode(`{"v":${a}}`);
  const y = decode(`{"v":${b}}`);
  return how(x, x.root.values[0]!, y, y.root.values[0]!);
}

describe('find', () => {
  const { root } = decode('{"a":{"b":[{"c":1}],"":{"length":2}},"0":3}');
  it.each([
    [[], 'object'],
    [['a', 'b'], 'array'],
    [['a', '', 'length'], 'number'],
    [['0'], 'number'],
    [['a', 'b', '0'], undefined],
    [['a', 'b', 'length'], undefined],
    [['a', 'x'], undefined],
    [['a', 'x', 'y'], undefined],
    [['toString'], undefined],
    [['__proto__'], undefined],
  ])('%j', (path, kind) => {
    expect(find(root, path)?.kind).toBe(kind);
  });
});

describe('without', () => {
  it.each([
    ['{"a":1,"b":2}', ['a'], '{"b":2}'],
    ['{"a":1,"b":2,"c":3}', ['b'], '{"a":1,"c":3}'],
    ['{"a":1}', ['a'], '{}'],
    ['{"a":{"b":1,"c":2},"d":3}', ['a', 'b'], '{"a":{"c":2},"d":3}'],
    ['{"a":{"b":{"c":1}},"d":3}', ['a', 'b', 'c'], '{"d":3}'],
    ['{"a":{"b":{"c":1}}}', ['a', 'b', 'c'], '{}'],
    ['{"a":{}}', ['a', 'b'], '{"a":{}}'],
    ['{"a":[1]}', ['a', '0'], '{"a":[1]}'],
    ['{"a":1}', ['b'], '{"a":1}'],
    ['{"a":1}', [], '{"a":1}'],
  ])('%s less %j', (text, path, expected) => {
    const event = decode(text);
    expect(codec.write(event, without(event.root, path)).toString()).toBe(expected);
    expect(codec.write(event, event.root).toString()).toBe(text);
  });
});

describe('sameValue', () => {
  it.each([
    ['1', '1'],
    ['"a"', '"\\u0061"'],
    ['null', 'null'],
    ['{"a":1,"b":[true,{}]}', '{ "b": [ true, {} ], "\\u0061": 1 }'],
    ['[]', '[]'],
  ])('%s is %s', (a, b) => {
    expect(same(a, b)).toBe(true);
    expect(same(b, a)).toBe(true);
  });

  it.each([
    ['1', '1.0'],
    ['1', '"1"'],
    ['null', '"null"'],
    ['true', 'false'],
    ['9007199254740993', '9007199254740992'],
    ['{}', '[]'],
    ['{"a":1}', '{}'],
    ['{"a":1}', '{"b":1}'],
    ['{"a":1}', '{"a":1,"b":1}'],
    ['[1,2]', '[2,1]'],
    ['[1]', '[1,1]'],
    ['null', '{}'],
  ])('%s is not %s', (a, b) => {
    expect(same(a, b)).toBe(false);
    expect(same(b, a)).toBe(false);
  });

  it('takes 50,000 members in another order in linear time', () => {
    const members = Array.from({ length: 50_000 }, (_, k) => `"n${k}":${k}`);
    const started = performance.now();
    expect(same(`{${members}}`, `{${members.toReversed()}}`)).toBe(true);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('agrees', () => {
  const agree = (part: string, whole: string) => compare(agrees, part, whole);
  it.each([
    ['{}', '{"a":1}'],
    ['{"a":1}', '{"b":2,"a":1}'],
    ['{"a":{"b":"\\u0078"}}', '{"a":{"c":2,"b":"x"}}'],
    ['[{},null,3]', '[{"a":1},"s",3]'],
    ['null', 'null'],
  ])('%s with %s', (part, whole) => {
    expect(agree(part, whole)).toBe(true);
  });

  it.each([
    ['{"a":1}', '{}'],
    ['{"a":1}', '{"a":2}'],
    ['{"a":1}', '{"a":1.0}'],
    ['{"a":{}}', '{"a":1}'],
    ['{"a":null}', '{"a":1}'],
    ['[1]', '[1,2]'],
    ['[1,2]', '[2,1]'],
    ['[{"a":1}]', '[{"a":2}]'],
    ['[]', '{}'],
  ])('not %s with %s', (part, whole) => {
    expect(agree(part, whole)).toBe(false);
  });
});
