import { describe, expect, it } from 'vitest';
import { createJsonCodec } from '../../../src/codec/index.ts';
import { ClaimsealError, type Code } from '../../../src/errors.ts';
import type { ScalarNode } from '../../../src/event.ts';

const codec = createJsonCodec({ maxBytes: 4_000_000, maxDepth: 64 });
const decode = (text: string | Buffer) => codec.decode(Buffer.from(text as string));

function refusal(text: string | Buffer, of = codec): ClaimsealError {
  try {
    of.decode(Buffer.from(text as string));
  } catch (error) {
    if (error instanceof ClaimsealError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

function firstText(text: string): string {
  const event = decode(text);
  return event.text(event.root.values[0] as ScalarNode);
}

describe('what is no JSON', () => {
  const at: [text: string, byte: number][] = [
    ['', 0],
    [' ', 1],
    ['{', 1],
    ['{"a"', 4],
    ['{"a":', 5],
    ['{"a":1', 6],
    ['{"a":1,', 7],
    ['{"a":1,}', 7],
    ['{,}', 1],
    ['{"a" 1}', 5],
    ['{"a":1 "b":2}', 7],
    ['{a:1}', 1],
    ["{'a':1}", 1],
    ['{1:1}', 1],
    ['{"a":1}}', 7],
    ['{"a":1}\0', 7],
    ['{"a":1} {"b":2}', 8],
    ['{"a":1}//', 7],
    ['{/**/"a":1}', 1],
    ['{"a":[}', 6],
    ['{"a":[1,]}', 8],
    ['{"a":[,1]}', 6],
    ['{"a":[1 2]}', 8],
    ['{"a":[1}', 7],
    ['{"a":tru}', 8],
    ['{"a":True}', 5],
    ['{"a":nul', 8],
    ['{"a":nulll}', 9],
    ['{"a":undefined}', 5],
    ['{"a":NaN}', 5],
    ['{"a":Infinity}', 5],
    ['{"a":-Infinity}', 6],
    ['{"a":01}', 6],
    ['{"a":-}', 6],
    ['{"a":+1}', 5],
    ['{"a":.5}', 5],
    ['{"a":1.}', 7],
    ['{"a":1.e1}', 7],
    ['{"a":1e}', 7],
    ['{"a":1e+}', 8],
    ['{"a":0x10}', 6],
    ['{"a":1_000}', 6],
    ['{"a":-01}', 7],
    ['{"a":"}', 7],
    ['{"a":"\\"}', 9],
    ['{"a":"\\x41"}', 7],
    ['{"a":"\\u12"}', 10],
    ['{"a":"\\u12g4"}', 10],
    ['{"a":"\\U0041"}', 7],
    ['{"a":"\n"}', 6],
    ['{"a":"\t"}', 6],
    ['{"a":"\0"}', 6],
    ['{"a\u001f":1}', 3],
    ['{"a\\q":1}', 4],
    ['\u00a0{}', 0],
    ['{\u2028}', 1],
    ['{\f}', 1],
    ['\ufeff{}', 0],
  ];
  it.each(at)('%j is refused at byte %i', (text, byte) => {
    expect(() => JSON.parse(text.replace(/^$/, ' '))).toThrow();
    const error = refusal(text);
    expect(error.code).toBe('event.notJson');
    expect(error.message).toMatch(new RegExp(` at byte ${byte}$`));
  });

  it('counts bytes of the text as it came, white space and all', () => {
    expect(refusal('\n { "é" : [ 1 , x ] }').message).toMatch(/ at byte 17$/);
  });

  it('says nothing of the content', () => {
    const error = refusal('{"s3cret":"s3cret" s3cret}');
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('s3cret');
  });
});

describe('what readers would not agree on', () => {
  it.each([
    ['{"a":1,"a":1}'],
    ['{"a":1,"\\u0061":2}'],
    ['{"\\u0061":1,"a":2}'],
    ['{"\\u00e9":1,"é":2}'],
    ['{"\\ud83d\\ude00":1,"😀":2}'],
    ['{"\\/":1,"/":2}'],
    ['{"":1,"":2}'],
    ['{"x":[{"y":{"a":{},"b":[],"a":null}}]}'],
    ['{"__proto__":1,"__proto__":2}'],
  ])('a name twice in one object: %s', (text) => {
    expect(refusal(text).code).toBe('event.duplicateMember');
  });

  it.each([15, 16, 17, 18, 40, 1000])('a name twice among %i members, wherever the two stand', (count) => {
    const names = Array.from({ length: count }, (_, k) => `name${k}`);
    for (const [first, second] of [
      [0, count - 1],
      [count - 2, count - 1],
      [0, 1],
    ] as const) {
      const members = names.map((name, k) => `"${k === second ? names[first] : name}":${k}`);
      expect(refusal(`{${members}}`).code).toBe('event.duplicateMember');
    }
    expect(decode(`{${names.map((name) => `"${name}":0`)}}`).root.names).toEqual(names);
  });

  it('allows one name in different objects', () => {
    expect(() => decode('{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}')).not.toThrow();
  });

  it('tells names with the same hash apart', () => {
    const names = collidingNames();
    expect(decode(`{"${names[0]}":1,"${names[1]}":2}`).root.names).toEqual(names);
    expect(decode(`{"${names[1]}":1}`).root.names).toEqual([names[1]]);
  });

  it.each([
    ['{"a":"\\ud800"}'],
    ['{"a":"\\udc00"}'],
    ['{"a":"\\uDC00\\uD800"}'],
    ['{"a":"\\ud800\\ud800\\udc00"}'],
    ['{"a":"\\ud800\\n"}'],
    ['{"a":"\\ud800x"}'],
    ['{"a":"\\ud800\\\\udc00"}'],
    ['{"\\ud83d":1}'],
  ])('half a surrogate pair: %s', (text) => {
    expect(refusal(text).code).toBe('event.loneSurrogate');
  });
});

describe('what is no event', () => {
  it.each([['null'], ['true'], ['1'], ['"a"'], ['[]'], [' [{}] ']])('%s is no object', (text) => {
    expect(refusal(text).code).toBe('event.notObject');
  });

  it.each([
    ['a cut character', [0xc3]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['latin1', [0xe9]],
  ])('%s is no UTF-8', (_, bytes) => {
    const text = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]);
    expect(refusal(text).code).toBe('event.notUtf8');
  });

  it('UTF-16 is refused', () => {
    expect(refusal(Buffer.from('\ufeff{"a":1}', 'utf16le')).code).toBe('event.notUtf8');
  });
});

describe('limits', () => {
  it('takes maxBytes and not one more', () => {
    const small = createJsonCodec({ maxBytes: 10, maxDepth: 3 });
    expect(() => small.decode(Buffer.from('{"a":1234}'))).not.toThrow();
    expect(refusal('{"a":1234} ', small).code).toBe('event.tooLarge');
  });

  it('takes maxDepth and not one more', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect(() => decode(nested(64))).not.toThrow();
    expect(refusal(nested(65)).code).toBe('event.tooDeep');
    expect(refusal(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`).code).toBe('event.tooDeep');
  });

  it('takes the deepest setting without a stack overflow, and refuses more', () => {
    const deep = createJsonCodec({ maxBytes: 4_000_000, maxDepth: 1000 });
    const event = deep.decode(Buffer.from(`${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`));
    expect(deep.write(event, event.root)).toHaveLength(6001);
    expect(() => createJsonCodec({ maxBytes: 1, maxDepth: 1001 })).toThrow(/maxDepth/);
    expect(() => createJsonCodec({ maxBytes: 0, maxDepth: 1 })).toThrow(/maxBytes/);
    expect(() => createJsonCodec({ maxBytes: 1, maxDepth: Number.NaN })).toThrow(/maxDepth/);
  });

  it.each([['['], ['{"a":'], [' [']])('a million times %j is too deep', (open) => {
    const deepest = createJsonCodec({ maxBytes: 2 ** 24, maxDepth: 1000 });
    expect(refusal(open.repeat(1_000_000), deepest).code).toBe('event.tooDeep');
  });

  it('takes 100,000 members in linear time', () => {
    const members = Array.from({ length: 100_000 }, (_, k) => `"n${k}":0`);
    const started = performance.now();
    expect(decode(`{${members}}`).root.names).toHaveLength(100_000);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(refusal(`{${members},${members[70_000]}}`).code).toBe('event.duplicateMember');
  });
});

describe('the tree', () => {
  it('keeps names such as __proto__ as names', () => {
    const { root } = decode('{"__proto__":{"x":1},"constructor":2,"hasOwnProperty":3,"toString":4}');
    expect(root.names).toEqual(['__proto__', 'constructor', 'hasOwnProperty', 'toString']);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it.each([['1e400'], ['12345678901234567890'], ['1.10'], ['-0'], ['0'], ['1E+2'], ['-0.0e-0']])(
    'keeps the spelling of %s',
    (number) => {
      expect(firstText(`{"a": ${number} }`)).toBe(number);
    },
  );

  it('gives words and unescaped strings', () => {
    const event = decode(
      '{"a":true,"b":false,"c":null,"d":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\ud83d\\uDE00é😀"}',
    );
    expect(event.root.values.map((node) => event.text(node as ScalarNode))).toEqual([
      'true',
      'false',
      'null',
      '"\\/\b\f\n\r\té😀é😀',
    ]);
  });

  it('gives long and short names, escaped or not, each time the same', () => {
    const names = ['', 'a', 'é', '😀', 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(5000), '\u0000"\\'];
    for (let round = 0; round < 3; round++) {
      const text = `{${names.map((name) => `${JSON.stringify(name)}:0`)}}`;
      expect(decode(text).root.names).toEqual(names);
    }
  });

  it('forgets nothing of an event when the next one is decoded', () => {
    const first = decode('{ "a" : "one" }');
    decode('{"b":"twotwotwo","c":[1,2,3]}');
    expect(first.text(first.root.values[0] as ScalarNode)).toBe('one');
    expect(codec.write(first, first.root).toString()).toBe('{"a":"one"}');
  });

  it('recovers from a refusal', () => {
    const bad: [string, Code][] = [
      ['{"a":[{"b":', 'event.notJson'],
      ['{ "a" : [ { "b" : 1 , "b" : 1 } ] }', 'event.duplicateMember'],
    ];
    for (const [text, code] of bad) {
      expect(refusal(text).code).toBe(code);
      const event = decode('{"a":"x","b":"y"}');
      expect(codec.write(event, event.root).toString()).toBe('{"a":"x","b":"y"}');
    }
  });
});

/** Two different names of equal FNV-1a hash, found by the birthday paradox. */
function collidingNames(): [string, string] {
  const seen = new Map<number, string>();
  for (let k = 0; ; k++) {
    const name = k.toString(36);
    let hash = 0;
    for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
    const other = seen.get(hash);
    if (other !== undefined) return [other, name];
    seen.set(hash, name);
  }
}
