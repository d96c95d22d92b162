import { describe, expect, it } from 'vitest';
import { createJsonCodec, find, without } from '../../../src/codec/index.ts';
import type { ClaimsealError } from '../../../src/errors.ts';
import { type ArrayNode, COMPOSED, type Node, type ObjectNode } from '../../../src/event.ts';

const codec = createJsonCodec({ maxBytes: 1_000_000, maxDepth: 64 });

function decode(text: string) {
  return codec.decode(Buffer.from(text));
}

/** The object with the members of these indices only, as the policy composes one. */
function only(node: ObjectNode, indices: readonly number[]): ObjectNode {
  return {
    kind: 'object',
    start: COMPOSED,
    end: COMPOSED,
    names: indices.map((k) => node.names[k]!),
    nameStarts: indices.map((k) => node.nameStarts[k]!),
    values: indices.map((k) => node.values[k]!),
  };
}

function composed(members: Record<string, Node>): ObjectNode {
  return {
    kind: 'object',
    start: COMPOSED,
    end: COMPOSED,
    names: Object.keys(members),
    nameStarts: Object.keys(members).map(() => COMPOSED),
    values: Object.values(members),
  };
}

const gap: Node = { kind: 'null', start: COMPOSED, end: COMPOSED };
const items = (...of: Node[]): ArrayNode => ({ kind: 'array', start: COMPOSED, end: COMPOSED, items: of });

describe('write', () => {
  it('copies what has bytes of its own', () => {
    const text = '{"n":[1e400,12345678901234567890,1.10,-0.0],"s":"\\u0041é\\/","e":{},"a":[]}';
    const event = decode(text);
    expect(codec.write(event, event.root).toString()).toBe(text);
    expect(codec.write(event, event.root.values[0]!).toString()).toBe(
      '[1e400,12345678901234567890,1.10,-0.0]',
    );
  });

  it('gives a copy, not the record', () => {
    const value = Buffer.from('{"a":1}');
    const event = codec.decode(value);
    codec.write(event, event.root).fill(0);
    expect(value.toString()).toBe('{"a":1}');
  });

  it('leaves out white space between tokens and none within strings', () => {
    const event = decode(' \n{ "a b" : [ 1 ,\t"c  d" , { } , [ ] ] ,\r\n "e" : " \\n " } \n');
    expect(codec.write(event, event.root).toString()).toBe('{"a b":[1,"c  d",{},[]],"e":" \\n "}');
  });

  it('shows not where a member was taken away', () => {
    const never = decode('{ "id": 1, "data": { "a": 1, "b": 2 } }');
    const taken = decode('{ "id": 1, "data": { "a": 1, "email": "x", "b": 2 } }');
    const data = find(taken.root, ['data']) as ObjectNode;
    const rest = { ...only(taken.root, [0, 1]), values: [taken.root.values[0]!, only(data, [0, 2])] };
    expect(codec.write(taken, rest)).toEqual(codec.write(never, never.root));
  });

  it.each([
    [[], '{}'],
    [[0], '{"a":1}'],
    [[3], '{"d\\u0022":"x,y"}'],
    [[0, 1], '{"a":1,"b":{"c":[1,2]}}'],
    [[1, 2, 3], '{"b":{"c":[1,2]},"é":null,"d\\u0022":"x,y"}'],
    [[0, 2], '{"a":1,"é":null}'],
    [[3, 0], '{"d\\u0022":"x,y","a":1}'],
    [[0, 1, 2, 3], '{"a":1,"b":{"c":[1,2]},"é":null,"d\\u0022":"x,y"}'],
  ])('writes members %j of an object', (indices, expected) => {
    const event = decode('{"a":1,"b":{"c":[1,2]},"é":null,"d\\u0022":"x,y"}');
    expect(codec.write(event, only(event.root, indices)).toString()).toBe(expected);
  });

  it('writes composed arrays, gaps and names that the event does not spell', () => {
    const event = decode('{"a":["x",{"b":1,"c":2},3]}');
    const array = event.root.values[0] as ArrayNode;
    const root = composed({
      'new "name" é': items(gap, only(array.items[1] as ObjectNode, [1]), array.items[2]!),
      empty: items(),
      none: composed({}),
    });
    expect(codec.write(event, root).toString()).toBe(
      '{"new \\"name\\" é":[null,{"c":2},3],"empty":[],"none":{}}',
    );
  });

  it('copies a name right to its end when its value is composed', () => {
    const event = decode('{"a\\\\\\"b":{"x":1,"y":2},"\\\\":{"z":3}}');
    const root = {
      ...only(event.root, [0, 1]),
      values: [only(event.root.values[0] as ObjectNode, [1]), composed({})],
    };
    expect(codec.write(event, root).toString()).toBe('{"a\\\\\\"b":{"y":2},"\\\\":{}}');
  });

  it('copies long pieces as well as short ones', () => {
    const event = decode(`{"a":"${'é'.repeat(500)}","b":1,"c":"${'x'.repeat(63)}","d":2}`);
    expect(JSON.parse(codec.write(event, only(event.root, [0, 2])).toString())).toEqual({
      a: 'é'.repeat(500),
      c: 'x'.repeat(63),
    });
  });

  it('knows only its own events', () => {
    const event = decode('{}');
    expect(() => codec.write({ root: event.root, text: () => '' }, event.root)).toThrow(/another codec/);
  });
});

describe('write with a member', () => {
  const jwe = `eyJhbGciOiJkaXIifQ..${'Ab-_9'.repeat(100)}.x.y`;
  const write = (text: string, path: string[], value = jwe) => {
    const event = decode(text);
    return codec.write(event, event.root, { path, value }).toString();
  };

  it.each([
    ['{}', ['sealed'], '{"sealed":"J"}'],
    ['{"a":1}', ['sealed'], '{"a":1,"sealed":"J"}'],
    [' { "a" : 1 } ', ['sealed'], '{"a":1,"sealed":"J"}'],
    ['{"a":1}', ['b', 'c', 'd'], '{"a":1,"b":{"c":{"d":"J"}}}'],
    ['{"b":{"x":1},"a":1}', ['b', 'c', 'd'], '{"b":{"x":1,"c":{"d":"J"}},"a":1}'],
    ['{"b":{"c":{}},"a":1}', ['b', 'c', 'd'], '{"b":{"c":{"d":"J"}},"a":1}'],
    ['{"a":{"b":1},"b":2}', ['a', 'a'], '{"a":{"b":1,"a":"J"},"b":2}'],
    ['{"a":1}', ['q"é'], '{"a":1,"q\\"é":"J"}'],
    ['{"a":1}', [''], '{"a":1,"":"J"}'],
  ])('into %s at %j', (text, path, expected) => {
    expect(write(text, path)).toBe(expected.replace('"J"', `"${jwe}"`));
  });

  it.each([
    ['{"sealed":1}', ['sealed']],
    ['{"\\u0073ealed":null}', ['sealed']],
    ['{"data":{"sealed":{}}}', ['data', 'sealed']],
    ['{"data":null}', ['data', 'sealed']],
    ['{"data":[]}', ['data', 'sealed']],
    ['{}', []],
  ])('refuses %s at %j, where the place is taken', (text, path) => {
    expect(() => write(text, path)).toThrow(
      expect.objectContaining({ code: 'event.sealedMember' }) as ClaimsealError,
    );
  });

  it.each([
    [''],
    ['"'],
    ['\\'],
    ['a\nb'],
    ['\u001f'],
    ['\u007f'],
    ['é'],
    ['Ģ'],
    ['😀'],
    ['\ud800'],
    ['x'.repeat(9999)],
  ])('escapes %j where it must', (value) => {
    for (const padding of ['', 'a', 'ab', 'abc']) {
      expect(JSON.parse(write('{}', ['v'], padding + value)).v).toBe(
        value === '\ud800' ? `${padding}\ud800` : padding + value,
      );
      expect(JSON.parse(write('{}', ['v'], value + padding)).v).toBe(value + padding);
    }
  });

  it('is undone by without', () => {
    for (const path of [['sealed'], ['data', 'sealed'], ['x', 'y', 'z']]) {
      const clear = '{"id":"1","data":{"a":[1,2]}}';
      const event = decode(write(clear, path));
      expect(find(event.root, path)?.kind).toBe('string');
      expect(codec.write(event, without(event.root, path)).toString()).toBe(clear);
    }
  });
});
