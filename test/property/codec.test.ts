import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJsonCodec, sameValue } from '../../src/codec/index.ts';
import { ClaimsealError } from '../../src/errors.ts';
import { COMPOSED, type Event, type Node, type ScalarNode } from '../../src/event.ts';

const codec = createJsonCodec({ maxBytes: 1_000_000, maxDepth: 100 });

/** Values as JSON knows them, names that are dangerous as keys included; -0 and lone surrogates are not JSON. */
const name = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', 'a', 'é', '0', '262144'),
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(
      fc.constantFrom(null, true, false),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
      fc.integer(),
      fc.string({ unit: 'binary' }),
    ),
    fc.array(tie('json'), { maxLength: 6 }),
    fc.dictionary(name, tie('json'), { maxKeys: 6, noNullPrototype: false }),
  ),
}));
const object = fc.dictionary(name, json, { maxKeys: 20 });

/** A number in any of the spellings of the grammar. */
const spelling = fc.stringMatching(/^-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?$/);

/** JSON text of a value, with white space, escapes and number spellings chosen at random. */
function spelled(value: unknown, pick: (most: number) => number): string {
  const space = () => ['', '', '', ' ', '\n', '\t \r\n'][pick(5)]!;
  const text = (s: string) =>
    `"${Array.from(s, (c) => {
      const plain = JSON.stringify(c).slice(1, -1);
      if (pick(7) > 0) return c === '/' && pick(1) === 1 ? '\\/' : plain;
      return Array.from({ length: c.length }, (_, k) => c.charCodeAt(k).toString(16).padStart(4, '0'))
        .map((hex) => `\\u${pick(1) === 1 ? hex.toUpperCase() : hex}`)
        .join('');
    }).join('')}"`;
  const write = (v: unknown): string => {
    if (Array.isArray(v)) return `[${space()}${v.map((item) => space() + write(item) + space())}]`;
    if (typeof v === 'object' && v !== null) {
      const members = Object.entries(v).map(
        ([n, member]) => `${space()}${text(n)}${space()}:${space()}${write(member)}${space()}`,
      );
      return `{${members.join(',') || space()}}`;
    }
    return typeof v === 'string' ? text(v) : JSON.stringify(v);
  };
  return space() + write(value) + space();
}

/** The value of a tree, made from nothing but the event's interface. */
function treeValue(event: Event, node: Node): unknown {
  if (node.kind === 'array') return node.items.map((item) => treeValue(event, item));
  if (node.kind === 'object') {
    return Object.fromEntries(node.names.map((n, k) => [n, treeValue(event, node.values[k]!)]));
  }
  const text = event.text(node as ScalarNode);
  return node.kind === 'string' ? text : JSON.parse(text);
}

function tryParse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function tryDecode(text: string): Event | ClaimsealError {
  try {
    return codec.decode(Buffer.from(text));
  } catch (error) {
    if (error instanceof ClaimsealError) return error;
    throw error;
  }
}

describe('what JSON.stringify writes', () => {
  it('comes out byte for byte', () => {
    fc.assert(
      fc.property(object, (value) => {
        const text = JSON.stringify(value);
        const event = codec.decode(Buffer.from(text));
        expect(codec.write(event, event.root).toString()).toBe(text);
      }),
    );
  });
});

describe('any spelling', () => {
  const cases = fc.tuple(object, fc.infiniteStream(fc.nat(1000)));
  it('is the value that JSON.parse sees, and its white space is all that is lost', () => {
    fc.assert(
      fc.property(cases, ([value, random]) => {
        const text = spelled(value, (most) => (random.next().value as number) % (most + 1));
        const event = codec.decode(Buffer.from(text));
        expect(treeValue(event, event.root)).toEqual(JSON.parse(text));
        const written = codec.write(event, event.root).toString();
        expect(JSON.parse(written)).toEqual(JSON.parse(text));
        const again = codec.decode(Buffer.from(written));
        expect(codec.write(again, again.root).toString()).toBe(written);
        expect(sameValue(event, event.root, again, again.root)).toBe(true);
        if (!/\s/.test(text)) expect(written).toBe(text);
      }),
    );
  });

  it('of a number stays, whatever a double makes of it', () => {
    fc.assert(
      fc.property(fc.array(spelling), (numbers) => {
        const text = `{"n":[${numbers}]}`;
        const event = codec.decode(Buffer.from(text.replaceAll(',', ' ,\n')));
        expect(codec.write(event, event.root).toString()).toBe(text);
      }),
    );
  });
});

describe('a projection', () => {
  /** A part of a value, and the tree of it as the policy composes one. */
  function project(node: Node, value: unknown, keep: () => boolean): { node: Node; value: unknown } {
    if (keep()) return { node, value };
    if (node.kind === 'array') {
      const parts = node.items.map((item, k) =>
        keep()
          ? project(item, (value as unknown[])[k], keep)
          : { node: { kind: 'null', start: COMPOSED, end: COMPOSED } as const, value: null },
      );
      return {
        node: { kind: 'array', start: COMPOSED, end: COMPOSED, items: parts.map((p) => p.node) },
        value: parts.map((p) => p.value),
      };
    }
    if (node.kind !== 'object') return { node, value };
    const kept = node.names.map((_, k) => k).filter(keep);
    const parts = kept.map((k) => project(node.values[k]!, Object.entries(value as object)[k]![1], keep));
    return {
      node: {
        kind: 'object',
        start: COMPOSED,
        end: COMPOSED,
        names: kept.map((k) => node.names[k]!),
        nameStarts: kept.map((k) => (keep() ? node.nameStarts[k]! : COMPOSED)),
        values: parts.map((p) => p.node),
      },
      value: Object.fromEntries(kept.map((k, at) => [node.names[k], parts[at]!.value])),
    };
  }

  it('is written as exactly the parts it is composed of, and without a trace of where others stood', () => {
    fc.assert(
      fc.property(object, fc.infiniteStream(fc.boolean()), fc.boolean(), (value, random, spaced) => {
        // Entries in the order of the text: integer-like names come first in both.
        const text = JSON.stringify(value, null, spaced ? 2 : 0);
        const event = codec.decode(Buffer.from(text));
        const part = project(event.root, JSON.parse(text), () => random.next().value as boolean);
        const written = codec.write(event, part.node).toString();
        expect(JSON.parse(written)).toEqual(part.value);
        expect(written).toBe(JSON.stringify(part.value));
        expect(written.length).toBe(JSON.stringify(JSON.parse(written)).length);
      }),
    );
  });
});

describe('mutated texts', () => {
  const seed = JSON.stringify({
    a: [1.5e-3, -0.5, 10, true, false, null],
    'b"\\': { c: '\u0001é😀', d: {} },
    e: [],
  });
  const escapes = '{"\\u0061":"\\ud83d\\ude00\\n\\/" , "n" : [ -1E+2 , 0 ]}';
  const alphabet = fc.constantFrom(
    ...'{}[]:,"\\/ \n\tu0123456789abcdefABCDEF+-.eEtrufalsn\u0000\u001f\u007fé😀\ufeff\ud800',
  );
  const mutation = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(3),
    put: fc.array(alphabet, { maxLength: 3 }),
  });

  it('are accepted where JSON.parse accepts them, but for what is refused on purpose, and never else', () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(seed, escapes),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        (text, mutations) => {
          for (const { at, cut, put } of mutations) {
            const from = Math.floor(at * text.length);
            text = text.slice(0, from) + put.join('') + text.slice(from + cut);
          }
          // As it is on the wire: a cut surrogate pair becomes U+FFFD.
          text = Buffer.from(text).toString();
          const parsed = tryParse(text);
          const event = tryDecode(text);
          if (event instanceof ClaimsealError) {
            refused++;
            if (event.code === 'event.notJson') expect(parsed).toBeUndefined();
            if (event.code === 'event.notObject') expect(parsed).toBeDefined();
            expect([
              'event.notJson',
              'event.duplicateMember',
              'event.loneSurrogate',
              'event.notObject',
            ]).toContain(event.code);
            return;
          }
          accepted++;
          expect(parsed).toBeDefined();
          expect(treeValue(event, event.root)).toEqual(parsed?.value);
        },
      ),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(1000);
  });

  it('of bytes are never accepted as anything but what JSON.parse sees', () => {
    fc.assert(
      fc.property(fc.nat(seed.length), fc.nat(255), (at, byte) => {
        const bytes = Buffer.from(seed);
        bytes[at % bytes.length] = byte;
        const text = bytes.toString();
        let event: Event;
        try {
          event = codec.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ClaimsealError);
          if ((error as ClaimsealError).code === 'event.notJson') expect(tryParse(text)).toBeUndefined();
          return;
        }
        expect(treeValue(event, event.root)).toEqual(JSON.parse(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('cut at any byte are refused', () => {
    for (let at = 0; at < seed.length; at++)
      expect(tryDecode(seed.slice(0, at))).toBeInstanceOf(ClaimsealError);
  });
});
