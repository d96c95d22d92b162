import { describe, expect, test } from 'vitest';
import { policyDigest } from '../../../src/policy/index.ts';
import { documentOf } from './support.ts';

/** The bytes that are hashed, to be looked at. */
const form = (document: unknown) => policyDigest(document, (bytes) => bytes.toString());

describe('digest', () => {
  test('members in order of UTF-16 code units, as in RFC 8785 section 3.2.3', () =>
    expect(form({ '\u20ac': 1, '\r': 2, '\ufb33': 3, 1: 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 })).toBe(
      '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
    ));
  test('numbers as ECMAScript writes them', () =>
    expect(form([Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27, -0])).toBe(
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]',
    ));
  test('the order of members makes no difference, that of lists does', () => {
    const document = documentOf();
    const reversed = Object.fromEntries(Object.entries(document).reverse());
    expect(form(reversed)).toBe(form(document));
    expect(form(documentOf({ clear: ['/type', '/id'] }))).not.toBe(form(document));
  });
  test('deployment and secrets are left out, everything else is in', () => {
    const record = { key: 'hmac', secret: 'a' };
    const plain = form(documentOf({ record: { key: 'hmac' } }));
    expect(form(documentOf({ record, kafka: { brokers: ['b'] }, http: { port: 1 }, log: {} }))).toBe(plain);
    for (const name of Object.keys(documentOf()))
      expect(form(documentOf({ [name]: 'else' })), name).not.toBe(plain);
  });
  test('variables stand in it as they are written', () =>
    expect(form(documentOf({ issuer: '${ISSUER}' }))).toContain('"issuer":"${ISSUER}"'));
  test('a member called secret elsewhere is no secret', () =>
    expect(form({ audiences: { secret: 1 } })).toBe('{"audiences":{"secret":1}}'));
});
