import { CompactEncrypt, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { ClaimsealError } from '../../../src/errors.ts';
import { parsePrivateJwks } from '../../../src/seal/index.ts';
import { decryptCompact } from '../../../src/seal/open.ts';
import { headerOf, KTYS, type Kty, newPair, open, PAIRS, sealerFor } from './support.ts';

type Options = Parameters<typeof open>[2];

/** Everything a reader may learn of a refusal. */
function refusal(act: () => unknown): object | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof ClaimsealError)) throw error;
    const { code, message, place, remedy, cause } = error;
    return { code, message, place, remedy, cause };
  }
}

const REFUSED = {
  code: 'open.failed',
  message: 'the JWE does not open',
  place: {},
  remedy: 'check that the keys are those of this audience and that the value is whole and in its place',
  cause: undefined,
};

const jwes = Object.fromEntries(KTYS.map((kty) => [kty, sealerFor(PAIRS[kty]).seal('{"a":1}')])) as Record<
  Kty,
  string
>;

const withHeader = (jwe: string, change: (header: Record<string, unknown>) => object): string => {
  const text = JSON.stringify(change({ ...headerOf(jwe) }));
  return Buffer.from(text).toString('base64url') + jwe.slice(jwe.indexOf('.'));
};
const part = (jwe: string, index: number, how: (part: string) => string) =>
  jwe
    .split('.')
    .map((text, i) => (i === index ? how(text) : text))
    .join('.');

describe.each(KTYS)('openCompact with %s', (kty) => {
  const pair = PAIRS[kty];
  const jwe = jwes[kty];
  const refused = (changed: string, more: Options = {}) =>
    expect(refusal(() => open(changed, pair.privateKeys, more))).toEqual(REFUSED);

  it('opens what was sealed', () => {
    expect(open(jwe, pair.privateKeys).plaintext.toString().trimEnd()).toBe('{"a":1}');
  });

  it.each([0, 1, 2, 3, 4])('refuses part %i changed, cut, doubled, padded or left out', (index) => {
    for (const how of [
      (text: string) => (text[0] === 'A' ? 'B' : 'A') + text.slice(1),
      (text: string) => text.slice(0, -4),
      (text: string) => text + text,
      (text: string) => `${text}=`,
      (text: string) => `${text} `,
      (text: string) => `${text}\n`,
      (text: string) => `*${text}`,
      () => '',
    ])
      refused(part(jwe, index, how));
  });

  it('refuses other counts of parts, white space around, and what is no JWE', () => {
    for (const text of [`${jwe}.`, `.${jwe}`, jwe.slice(0, jwe.lastIndexOf('.')), ` ${jwe}`, '', '....', 'x'])
      refused(text);
  });

  it('refuses a second spelling of the same bytes', () => {
    const last = jwe.at(-1)!; // a tag of 16 bytes leaves 4 bits of its last character unused
    const twin = { A: 'B', Q: 'R', g: 'h', w: 'x' }[last]!;
    refused(jwe.slice(0, -1) + twin);
  });

  it('refuses alg, enc, aud and typ that the reader does not accept', () => {
    refused(jwe, { algs: ['RSA1_5'] });
    refused(jwe, { algs: [] });
    refused(jwe, { encs: ['A128GCM'] });
    refused(jwe, { encs: [] });
    refused(jwe, { aud: 'siem' });
    refused(jwe, { aud: '' });
    refused(jwe, { typ: 'quarantine' });
  });

  it('refuses what is longer than the reader allows', () => {
    refused(jwe, { maxBytes: jwe.length - 1 });
    expect(() => open(jwe, pair.privateKeys, { maxBytes: jwe.length })).not.toThrow();
  });

  it('refuses a header with a name that tables inherit, of another type, or none', () => {
    for (const alg of ['toString', '__proto__', 'constructor', 'none', 'dir', 7, null, undefined, [pair.alg]])
      refused(
        withHeader(jwe, (header) => ({ ...header, alg })),
        { algs: [pair.alg, String(alg)] },
      );
    for (const enc of ['toString', '__proto__', 7, null, undefined, ['A256GCM']])
      refused(
        withHeader(jwe, (header) => ({ ...header, enc })),
        { encs: ['A256GCM', String(enc)] },
      );
    for (const kid of [7, null, {}]) refused(withHeader(jwe, (header) => ({ ...header, kid })));
    for (const text of ['null', '[]', '"x"', '7', '{', '\u00ff', ''])
      refused(part(jwe, 0, () => Buffer.from(text, 'latin1').toString('base64url')));
  });

  it('refuses a key of another kid, and another key of the same kid', () => {
    for (const kid of ['other', String(headerOf(jwe)['kid'])]) {
      const other = newPair(kty, kid);
      expect(refusal(() => open(jwe, other.privateKeys))).toEqual(REFUSED);
    }
    expect(refusal(() => open(jwe, parsePrivateJwks(Buffer.from('{"keys":[]}'))))).toEqual(REFUSED);
  });

  it('tries each of several keys without a kid', () => {
    const nameless = [newPair(kty).privateJwk, pair.privateJwk].map(({ kid: _, ...jwk }) => jwk);
    const keys = parsePrivateJwks(Buffer.from(JSON.stringify({ keys: nameless })));
    expect(open(jwe, keys).plaintext.toString().trimEnd()).toBe('{"a":1}');
  });
});

describe('what others may encrypt to a public key', () => {
  const forge = async (kty: Kty, header: object) => {
    const { alg, d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...jwk } = PAIRS[kty].privateJwk;
    const base = { alg: alg!, enc: 'A256GCM', typ: 'claimseal-view+jwe', aud: 'payroll', evt: ['e'] };
    return new CompactEncrypt(Buffer.from('{}'))
      .setProtectedHeader({ ...base, ...header })
      .encrypt(await importJWK(jwk, { ...base, ...header }.alg), { crit: { known: true } });
  };

  it('opens when it is as ours', async () => {
    expect(open(await forge('EC', {}), PAIRS.EC.privateKeys).plaintext.toString()).toBe('{}');
  });

  it.each<[string, Kty, object]>([
    ['zip', 'EC', { zip: 'DEF' }],
    ['crit', 'EC', { crit: ['known'], known: 1 }],
    ['ECDH-ES', 'EC', { alg: 'ECDH-ES' }],
    ['ECDH-ES+A128KW', 'OKP', { alg: 'ECDH-ES+A128KW' }],
    ['RSA-OAEP with SHA-1', 'RSA', { alg: 'RSA-OAEP' }],
    ['RSA-OAEP-512', 'RSA', { alg: 'RSA-OAEP-512' }],
    ['dir', 'oct', { alg: 'dir' }],
    ['A256GCMKW', 'oct', { alg: 'A256GCMKW' }],
    ['CBC', 'EC', { enc: 'A256CBC-HS512' }],
    ['A192GCM', 'EC', { enc: 'A192GCM' }],
  ])('is refused with %s, whatever the reader lists and the key allows', async (_, kty, header) => {
    const jwe = await forge(kty, header);
    const { alg: __, ...jwk } = PAIRS[kty].privateJwk;
    const keys = parsePrivateJwks(Buffer.from(JSON.stringify({ keys: [jwk] })));
    const { alg, enc } = headerOf(jwe);
    const more = { algs: [String(alg)], encs: [String(enc)] };
    expect(refusal(() => open(jwe, keys, more))).toEqual(REFUSED);
    expect(refusal(() => decryptCompact(jwe, { keys, ...more, maxBytes: 100_000 }))).toEqual(REFUSED);
  });

  it('is refused with an ephemeral key that is none of the curve, or private, or missing', async () => {
    const jwe = jwes.EC;
    const epk = headerOf(jwe)['epk'] as Record<string, string>;
    for (const wrong of [
      undefined,
      null,
      'x',
      [],
      { ...epk, y: epk['x'] },
      { ...epk, crv: 'P-384' },
      { ...epk, kty: 'OKP' },
      { ...epk, d: epk['x'] },
      headerOf(jwes.OKP)['epk'],
    ])
      expect(
        refusal(() =>
          open(
            withHeader(jwe, (header) => ({ ...header, epk: wrong })),
            PAIRS.EC.privateKeys,
          ),
        ),
      ).toEqual(REFUSED);
    const zeros = { kty: 'OKP', crv: 'X25519', x: Buffer.alloc(32).toString('base64url') };
    const low = withHeader(jwes.OKP, (header) => ({ ...header, epk: zeros }));
    expect(refusal(() => open(low, PAIRS.OKP.privateKeys))).toEqual(REFUSED);
  });
});
