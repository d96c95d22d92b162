import { describe, expect, test } from 'vitest';
import { documentOf, mistakesOf, pathsOf } from './support.ts';

const keys = { file: 'k.json' };
const source = (id: unknown) => ({ topics: ['events'], format: 'json', id });

describe('designation is global', () => {
  const grants = [{ claims: ['/data/email'], to: ['payroll'], when: { '/type': 'never' } }];
  test.each([
    ['itself', '/data/email'],
    ['above', '/data'],
    ['below', '/data/email/domain'],
    ['everything', ''],
    ['a wildcard', '/*/email'],
    ['a wildcard above', '/*'],
  ])('clear may not touch a claim: %s', (_, pointer) =>
    expect(pathsOf({ grants, clear: ['/id', '/type', pointer] })).toContain('clear[2]'),
  );

  test.each(['/data/emails', '/email', '/data/*x'])('a neighbour is no overlap: %s', (pointer) =>
    expect(pathsOf({ grants, clear: ['/id', '/type', pointer] })).toEqual([]),
  );

  test('a claim with a wildcard touches each name', () =>
    expect(
      pathsOf({ grants: [{ claims: ['/*/secret'], to: ['siem'] }], clear: ['/id', '/a/secret'] }),
    ).toContain('clear[1]'));

  test('nor may the id, a condition of any grant, or the place of the JWE', () => {
    const paths = pathsOf({
      source: source(['/sub']),
      sealed: '/box/jwe',
      grants: [
        { claims: ['/sub', '/box'], to: ['payroll'] },
        { claims: ['/x'], to: ['siem'], when: { '/sub': 'a' } },
      ],
    });
    expect(paths).toEqual(expect.arrayContaining(['source.id[0]', 'grants[1].when["/sub"]', 'sealed']));
  });

  test('claims may overlap each other', () =>
    expect(
      pathsOf({
        grants: [
          { claims: ['/data'], to: ['payroll'] },
          { claims: ['/data/email', '/data/*'], to: ['siem'] },
        ],
      }),
    ).toEqual([]));
});

describe('id', () => {
  test.each([
    ['not in clear', ['/other']],
    ['with a wildcard', ['/*']],
    ['a key that is not passed on', ['key']],
    ['a header that is not passed on', ['header:trace']],
  ])('a reader must be able to compute it: %s', (_, id) =>
    expect(pathsOf({ source: source(id) })).toContain('source.id[0]'),
  );
  test.each(['hmac', 'off'])(
    'coordinates and topic need header claimseal-source in plain, not %s',
    (mode) => {
      const record = { key: 'drop', source: mode, secret: 'x'.repeat(32) };
      expect(pathsOf({ source: source('coordinates'), record })).toContain('record.source');
      expect(pathsOf({ source: source(['topic']), record })).toContain('source.id[0]');
      expect(pathsOf({ source: source(['/id']), record })).toEqual([]);
    },
  );
  test.each([[['topic']], ['coordinates'], [['/id']], [[['id']]]])('good: %j', (id) =>
    expect(pathsOf({ source: source(id) })).toEqual([]),
  );
});

describe('audiences', () => {
  const both = (a: object, b: object) => ({
    audiences: { a: { keys, ...a }, b: { keys, ...b } },
    grants: [],
  });
  test('topics differ: audiences, source, quarantine', () => {
    expect(pathsOf(both({ topic: 't' }, { topic: 't' }))).toEqual(['audiences.b.topic']);
    expect(pathsOf(both({ topic: 'events' }, { topic: 't' }))).toEqual(['audiences.a.topic']);
    expect(pathsOf({ ...both({ topic: 'a' }, { topic: 'b' }), quarantine: { keys, topic: 'b' } })).toEqual([
      'quarantine.topic',
    ]);
  });
  test.each(['quarantine', 'Payroll', 'a.b', '', 'a/b', 'x'.repeat(65)])('%j is no name', (name) =>
    expect(mistakesOf(documentOf({ audiences: { [name]: { keys, topic: 't' } }, grants: [] }))).toHaveLength(
      1,
    ),
  );
  test('one without keys cannot be granted anything', () =>
    expect(pathsOf({ grants: [{ claims: ['/x'], to: ['router'] }] })).toEqual(['grants[0].to[0]']));
  test('a shared key must be stated', () => {
    expect(pathsOf(both({ topic: 'a', alg: 'A256KW' }, { topic: 'b' }))).toEqual(['audiences.a.symmetric']);
    expect(pathsOf(both({ topic: 'a', alg: 'A256KW', symmetric: true }, { topic: 'b' }))).toEqual([]);
  });
});

describe('when', () => {
  const when = (tests: unknown) => pathsOf({ grants: [{ claims: ['/x'], to: ['siem'], when: tests }] });
  test.each([
    ['a pointer with *', { '/a/*': 1 }],
    ['no subject', { type: 'a' }],
    ['the whole event', { '': 'a' }],
    ['a header without a name', { 'header:': 'a' }],
    ['no test', {}],
    ['an empty list', { '/type': [] }],
    ['a number for a header', { 'header:h': 1 }],
    ['an object', { '/type': { eq: 'a' } }],
    ['absence', { '/type': { has: false } }],
    ['an integer that no double holds', { '/n': 2 ** 53 }],
  ])('refused: %s', (_, tests) => expect(when(tests)).not.toEqual([]));
});

describe('record, quarantine, brokers', () => {
  test('hmac needs a secret of 16 bytes', () => {
    expect(pathsOf({ record: { key: 'hmac' } })).toEqual(['record.secret']);
    expect(pathsOf({ record: { key: 'drop', source: 'hmac' } })).toEqual(['record.secret']);
    expect(pathsOf({ record: { key: 'hmac', secret: 'x'.repeat(15) } })).toEqual(['record.secret']);
    expect(pathsOf({ record: { key: 'hmac', secret: 'x'.repeat(16) } })).toEqual([]);
  });
  test.each(['content-type', 'Content-Type', 'claimseal-source'])('header %s is not passed on', (header) =>
    expect(pathsOf({ record: { key: 'drop', headers: [header] } })).toEqual(['record.headers[0]']),
  );
  test('unmatched: quarantine needs one', () =>
    expect(pathsOf({ unmatched: 'quarantine' })).toEqual(['quarantine']));
  test.each([
    ['localhost:9092', true],
    ['127.0.0.1:9092', true],
    ['[::1]:9092', true],
    ['127.0.0.1.evil.example:9092', false],
    ['localhost.evil.example:9092', false],
    ['10.0.0.1:9092', false],
  ])('an unencrypted broker at %s: %s', (broker, good) =>
    expect(pathsOf({ kafka: { brokers: [broker], groupId: 'g' } })).toEqual(good ? [] : ['kafka.brokers[0]']),
  );
});
