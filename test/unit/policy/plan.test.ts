import { describe, expect, test } from 'vitest';
import { codeOf, decide } from './support.ts';

const grant = (claims: unknown[], when?: unknown) => ({
  grants: [{ claims, to: ['payroll'], ...(when === undefined ? {} : { when }) }],
});
const EVENT = '{"id":"1","type":"t","data":{"email":"e","roles":["r"]},"x":9}';

describe('views', () => {
  test('each audience reads the clear members and what it is granted, in place', () =>
    expect(decide({}, EVENT)).toEqual({
      evt: '["1"]',
      matched: true,
      clear: '{"id":"1","type":"t"}',
      views: {
        payroll: '{"id":"1","type":"t","data":{"email":"e"}}',
        siem: '{"id":"1","type":"t","data":{"roles":["r"]}}',
      },
      routed: ['router'],
    }));

  test('a claim whose grant does not match is in clear for nobody', () => {
    const { clear, views, matched, routed } = decide(
      { ...grant(['/x'], { '/type': 'other' }), unlisted: 'clear' },
      EVENT,
    );
    expect({ matched, views, routed }).toEqual({ matched: false, views: {}, routed: ['router'] });
    expect(clear).toBe('{"id":"1","type":"t","data":{"email":"e","roles":["r"]}}');
  });

  test('a view is made where the granted claims are absent too', () =>
    expect(decide(grant(['/absent']), EVENT).views).toEqual({ payroll: '{"id":"1","type":"t"}' }));

  test('an array of which a part is shown keeps its length', () =>
    expect(
      decide(grant(['/l/*/s']), '{"id":"1","type":"t","l":[{"s":1,"n":2},{"n":3},null,{}]}').views['payroll'],
    ).toBe('{"id":"1","type":"t","l":[{"s":1},{},null,{}]}'));

  test('an object left empty is omitted, an empty one that may be read is not', () => {
    const text = '{"id":"1","type":"t","a":{"s":1},"b":{},"c":{"d":{}}}';
    expect(decide({ ...grant(['/a/s', '/c/d/e']), unlisted: 'clear' }, text).clear).toBe(
      '{"id":"1","type":"t","b":{},"c":{"d":{}}}',
    );
    expect(decide(grant(['/a/s']), text).clear).toBe('{"id":"1","type":"t"}');
  });

  test('claims of one audience with equal endings do not take each other for theirs', () =>
    expect(
      decide(
        grant(['/a/s', '/b/t', '/c/*']),
        '{"id":"1","type":"t","a":{"s":1,"t":2},"b":{"s":3,"t":4},"c":{"z":5}}',
      ).views['payroll'],
    ).toBe('{"id":"1","type":"t","a":{"s":1},"b":{"t":4},"c":{"z":5}}'));

  test('numbers keep their spelling, in clear and sealed', () => {
    const text = '{"id":123456789012345678901,"type":1e400,"data":{"email":0.10000000000000000000001}}';
    expect(decide({}, text)).toMatchObject({
      evt: '[123456789012345678901]',
      clear: '{"id":123456789012345678901,"type":1e400}',
      views: { payroll: text },
    });
  });

  test('a gap in an array is {} for an object and null for anything else, in view and clear part alike', () => {
    const text = '{"id":"1","type":"t","l":[{"s":1,"n":2},[3],"x",{"n":4}]}';
    const shape = { grants: [{ claims: ['/l'], to: ['siem'] }] };
    expect(decide(shape, text)).toMatchObject({ clear: '{"id":"1","type":"t"}', views: { siem: text } });
    expect(decide({ clear: ['/id', '/type', '/l/*/n'], ...grant(['/x']) }, text).clear).toBe(
      '{"id":"1","type":"t","l":[{"n":2},null,null,{"n":4}]}',
    );
  });

  test('an audience reads the union of the grants that match, and nothing of the one that does not', () => {
    const grants = [
      { claims: ['/a'], to: ['payroll'] },
      { claims: ['/b'], to: ['payroll'], when: { '/type': 't' } },
      { claims: ['/c'], to: ['payroll'], when: { '/type': 'other' } },
    ];
    const { clear, views } = decide({ grants, unlisted: 'clear' }, '{"id":"1","type":"t","a":1,"b":2,"c":3}');
    expect({ clear, views }).toEqual({
      clear: '{"id":"1","type":"t"}',
      views: { payroll: '{"id":"1","type":"t","a":1,"b":2}' },
    });
  });

  test('members named like those of Object are members like any other', () =>
    expect(
      decide(
        grant(['/constructor']),
        '{"id":"1","type":"t","constructor":{"toString":1},"__proto__":{"a":1}}',
      ),
    ).toMatchObject({
      clear: '{"id":"1","type":"t"}',
      views: { payroll: '{"id":"1","type":"t","constructor":{"toString":1}}' },
    }));
});

describe('unlisted', () => {
  test('drop, clear, reject', () => {
    expect(decide({ unlisted: 'drop' }, EVENT).clear).toBe('{"id":"1","type":"t"}');
    expect(decide({ unlisted: 'clear' }, EVENT).clear).toBe('{"id":"1","type":"t","x":9}');
    expect(codeOf({ unlisted: 'reject' }, EVENT)).toBe('event.unlisted');
  });
  test.each([
    ['nothing unlisted', '{"id":"1","type":"t","data":{"email":"e"}}', 'sealed'],
    ['an empty container on the way', '{"id":"1","type":"t","data":{}}', 'sealed'],
    ['null on the way', '{"id":"1","type":"t","data":null}', 'sealed'],
    ['deep down', '{"id":"1","type":"t","data":{"email":"e","phone":"p"}}', 'event.unlisted'],
    ['an empty object that nobody named', '{"id":"1","type":"t","y":{}}', 'event.unlisted'],
  ])('reject: %s', (_, text, code) => expect(codeOf({ unlisted: 'reject' }, text)).toBe(code));
});

describe('shape', () => {
  test.each([
    ['a string for an object', '{"id":"1","type":"t","data":"secret"}', 'event.shape'],
    ['an array for a name', '{"id":"1","type":"t","data":[{"email":"e"}]}', 'event.shape'],
    ['null', '{"id":"1","type":"t","data":null}', 'sealed'],
    ['absent', '{"id":"1","type":"t"}', 'sealed'],
  ])('%s', (_, text, code) => {
    for (const unlisted of ['drop', 'clear']) expect(codeOf({ unlisted }, text)).toBe(code);
  });
  test.each([
    ['{"id":"1","type":"t","l":"s"}', 'event.shape'],
    ['{"id":"1","type":"t","l":["s"]}', 'event.shape'],
    ['{"id":"1","type":"t","l":{"a":{"s":1}}}', 'sealed'],
    ['{"id":"1","type":"t","l":[null,{"s":1}]}', 'sealed'],
  ])('a wildcard takes arrays and objects: %s', (text, code) =>
    expect(codeOf({ ...grant(['/l/*/s']), unlisted: 'clear' }, text)).toBe(code),
  );
});

describe('id and place', () => {
  test.each([
    '{"type":"t"}',
    '{"id":null}',
    '{"id":1.5}',
    '{"id":1e2}',
    '{"id":-0}',
    '{"id":true}',
    '{"id":["1"]}',
  ])('no id: %s', (text) => expect(codeOf({}, text)).toBe('event.id'));
  test('ids are exact and escaped as JSON', () => {
    const source = { topics: ['events'], format: 'json', id: ['/id', '/type', 'topic'] };
    expect(decide({ source }, '{"id":-7,"type":"a\\"b,\\u0000"}').evt).toBe('[-7,"a\\"b,\\u0000","events"]');
  });
  test('coordinates', () => {
    const source = { topics: ['events'], format: 'json', id: 'coordinates' };
    expect(decide({ source }, '{}').evt).toBe('["events",3,42]');
  });
  test.each([
    ['/sealed', '{"id":"1","sealed":1}', 'event.sealedMember'],
    ['/a/b', '{"id":"1","a":1}', 'event.sealedMember'],
    ['/a/b', '{"id":"1","a":{"b":null}}', 'event.sealedMember'],
    ['/a/b', '{"id":"1","a":{"c":1}}', 'sealed'],
  ])('the place of the JWE is free: %s in %s', (sealed, text, code) =>
    expect(codeOf({ sealed }, text)).toBe(code),
  );
});

describe('when', () => {
  const matches = (when: unknown, text: string, record = {}) =>
    decide(grant(['/s'], when), text, record).matched;
  test.each([
    [{ '/n': 1 }, '{"id":"1","n":1}', true],
    [{ '/n': 1 }, '{"id":"1","n":1.0}', true],
    [{ '/n': 1 }, '{"id":"1","n":10e-1}', true],
    [{ '/n': 1 }, '{"id":"1","n":"1"}', false],
    [{ '/n': '1' }, '{"id":"1","n":1}', false],
    [{ '/n': 1 }, '{"id":"1","n":1.00000000000000000001}', false],
    [{ '/n': 9007199254740991 }, '{"id":"1","n":9007199254740991.0000001}', false],
    [{ '/n': 0.1 }, '{"id":"1","n":0.1}', true],
    [{ '/n': true }, '{"id":"1","n":"true"}', false],
    [{ '/n': null }, '{"id":"1","n":null}', true],
    [{ '/n': null }, '{"id":"1"}', false],
    [{ '/n': { has: true } }, '{"id":"1","n":null}', true],
    [{ '/n': { has: true } }, '{"id":"1"}', false],
    [{ '/n': 'a*' }, '{"id":"1","n":"a"}', true],
    [{ '/n': 'a*' }, '{"id":"1","n":"b"}', false],
    [{ '/n': 'a*b' }, '{"id":"1","n":"axb"}', false],
    [{ '/n': '*a' }, '{"id":"1","n":"xa"}', false],
    [{ '/n': '*' }, '{"id":"1","n":"x"}', true],
    [{ '/n': '*' }, '{"id":"1","n":1}', false],
    [{ '/n': ['x', 2] }, '{"id":"1","n":2}', true],
    [{ '/n': ['x', 2] }, '{"id":"1","n":"2"}', false],
    [{ '/n': 1, '/m': 1 }, '{"id":"1","n":1}', false],
    [{ '/l/0': 'a' }, '{"id":"1","l":["a"]}', false],
    [{ '/n': 'A' }, '{"id":"1","n":"a"}', false],
  ])('%j of %s: %s', (when, text, expected) => expect(matches(when, text)).toBe(expected));

  test.each([
    [{ topic: 'eve*' }, {}, true],
    [{ key: 'k' }, { key: Buffer.from('k') }, true],
    [{ key: { has: true } }, {}, false],
    [
      { 'header:h': 'b' },
      {
        headers: [
          ['h', Buffer.from('a')],
          ['h', Buffer.from('b')],
        ],
      },
      true,
    ],
    [
      { 'header:h': 'a' },
      {
        headers: [
          ['h', Buffer.from('a')],
          ['h', Buffer.from('b')],
        ],
      },
      false,
    ],
    [{ 'header:h': '*' }, { headers: [['h', null]] }, false],
    [{ 'header:h': { has: true } }, { headers: [['h', null]] }, true],
    [{ 'header:h': '\ufffd' }, { headers: [['h', Buffer.from([0xff])]] }, false],
  ])('%j of the record', (when, record, expected) =>
    expect(matches(when, '{"id":"1"}', record)).toBe(expected),
  );

  test('more conditions than a word has bits', () => {
    const grants = Array.from({ length: 40 }, (_, n) => ({
      claims: [`/c${n}`],
      to: ['payroll'],
      when: { '/n': n },
    }));
    const text = `{"id":"1","n":35,${grants.map((_, n) => `"c${n}":${n}`).join()}}`;
    expect(decide({ grants }, text)).toMatchObject({
      matched: true,
      views: { payroll: '{"id":"1","c35":35}' },
    });
  });
});
