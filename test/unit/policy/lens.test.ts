import { expect, test } from 'vitest';
import { createJsonCodec } from '../../../src/codec/index.ts';
import { compileLens, type LensParts } from '../../../src/policy/lens.ts';

const codec = createJsonCodec({ maxBytes: 1000, maxDepth: 10 });
const shown = (text: string, parts: Partial<LensParts>) => {
  const lens = compileLens({
    clear: [],
    designated: [],
    granted: [],
    unlisted: 'drop',
    strict: true,
    ...parts,
  });
  const event = codec.decode(Buffer.from(text));
  return codec.write(event, lens(event.root)).toString();
};
const EVENT = '{"a":{"s":1,"n":2},"b":3}';
const [claim, above] = [['a', 's'], ['a']];

// The rules of a policy refuse such an overlap. Should one get here all the same, the claim stays hidden.
test.each([
  ['the same place', [claim], [claim], '{}'],
  ['clear above', [above], [claim], '{"a":{"n":2}}'],
  ['clear below', [claim], [above], '{}'],
  ['everything in clear', [[]], [claim], '{"a":{"n":2},"b":3}'],
])('designated goes before clear: %s', (_, clear, designated, expected) => {
  expect(shown(EVENT, { clear, designated })).toBe(expected);
  expect(shown(EVENT, { clear, designated, strict: false })).toBe(expected);
});

test('granted goes before designated, however wide that is', () =>
  expect(shown(EVENT, { designated: [above, claim], granted: [claim] })).toBe('{"a":{"s":1}}'));
