/** Laws of sealing: what goes in comes out to its reader, to the byte, and to nobody else. */
import fc from 'fast-check';
import { compactDecrypt } from 'jose';
import { afterAll, describe, expect, test } from 'vitest';
import { ClaimsealError } from '../../src/errors.ts';
import { createSealer, encryptions } from '../../src/seal/index.ts';
import {
  ISSUER,
  joseOpens,
  KTYS,
  type Kty,
  newPair,
  open,
  PAIRS,
  recipientOf,
} from '../unit/seal/support.ts';

const bytes = fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: 'binary', maxLength: 60 });
const evt = fc.array(fc.oneof(text, fc.maxSafeInteger()), { minLength: 1, maxLength: 4 });
const pads = [1, 16, 64, 1000] as const;

interface Lane {
  readonly kty: Kty;
  readonly enc: string;
  readonly pad: number;
  readonly seal: (evt: string, plaintext: Buffer) => string;
}

const sealers: { close(): void }[] = [];
afterAll(() => {
  for (const sealer of sealers) sealer.close();
});

const lanes: readonly Lane[] = KTYS.flatMap((kty) =>
  encryptions.flatMap((enc) =>
    pads.map((pad, index) => {
      const recipient = recipientOf({ enc, pad, reuse: index % 2 === 0 });
      const sealer = createSealer({ issuer: ISSUER, recipients: [recipient], observe: () => {} });
      sealers.push(sealer);
      sealer.use(new Map([[recipient.aud, PAIRS[kty].recipient]]));
      return {
        ...{ kty, enc, pad },
        seal: (evt: string, plaintext: Buffer) => sealer.seal(recipient.aud, evt, plaintext),
      };
    }),
  ),
);
const lane = fc.constantFrom(...lanes);

describe('for any bytes, id, key, enc and pad', () => {
  test('jose opens the same bytes, then white space up to a multiple of pad, and finds the id', async () => {
    await fc.assert(
      fc.asyncProperty(lane, evt, bytes, async ({ kty, enc, pad, seal }, id, plaintext) => {
        const jwe = seal(JSON.stringify(id), plaintext);
        const opened = await joseOpens(jwe, PAIRS[kty], enc);
        const found = Buffer.from(opened.plaintext);
        expect(found.length % pad).toBe(0);
        expect(found.length - plaintext.length).toBeLessThan(pad);
        expect(found.subarray(0, plaintext.length).equals(plaintext)).toBe(true);
        expect(found.subarray(plaintext.length).every((byte) => byte === 0x20)).toBe(true);
        expect(opened.protectedHeader).toMatchObject({ aud: 'payroll', iss: ISSUER });
        // a lone surrogate cannot come this far: the codec refuses it
        expect(opened.protectedHeader['evt']).toEqual(JSON.parse(Buffer.from(JSON.stringify(id)).toString()));
        expect(open(jwe, PAIRS[kty].privateKeys).plaintext.equals(found)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('any changed character is refused, with one code', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= \u00e9';
    await fc.assert(
      fc.property(
        lane,
        bytes,
        fc.nat(),
        fc.constantFrom(...alphabet),
        ({ kty, seal }, plaintext, at, character) => {
          const jwe = seal('["e"]', plaintext);
          const index = at % jwe.length;
          fc.pre(jwe[index] !== character);
          const changed = jwe.slice(0, index) + character + jwe.slice(index + 1);
          expect(() => open(changed, PAIRS[kty].privateKeys)).toThrow(
            expect.objectContaining({ code: 'open.failed', message: 'the JWE does not open' }),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('no other audience opens it, by name or by key', async () => {
    const others = { EC: newPair('EC'), OKP: newPair('OKP'), RSA: newPair('RSA'), oct: newPair('oct') };
    await fc.assert(
      fc.asyncProperty(lane, bytes, async ({ kty, enc, seal }, plaintext) => {
        const jwe = seal('["e"]', plaintext);
        expect(() => open(jwe, PAIRS[kty].privateKeys, { aud: 'siem' })).toThrow(ClaimsealError);
        expect(() => open(jwe, others[kty].privateKeys)).toThrow(ClaimsealError);
        await expect(joseOpens(jwe, others[kty], enc)).rejects.toThrow();
      }),
      { numRuns: 60 },
    );
  });

  test('no two messages have content key and IV in common', () => {
    const seen = new Set<string>();
    let sealed = 0;
    fc.assert(
      fc.property(lane, bytes, ({ seal }, plaintext) => {
        const [, encryptedKey, iv] = seal('["e"]', plaintext).split('.');
        seen.add(`${encryptedKey}.${iv}`);
        sealed += 1;
        expect(seen.size).toBe(sealed);
      }),
      { numRuns: 1000 },
    );
  });
});

test('garbage of any shape is refused alike', async () => {
  const part = fc.oneof(
    fc.base64String({ maxLength: 40 }),
    text,
    fc.json().map((json) => Buffer.from(json).toString('base64url')),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 7 }), async (parts) => {
      const jwe = parts.join('.');
      for (const kty of KTYS)
        expect(() => open(jwe, PAIRS[kty].privateKeys)).toThrow(
          expect.objectContaining({ code: 'open.failed' }),
        );
      await expect(compactDecrypt(jwe, new Uint8Array(32))).rejects.toThrow();
    }),
    { numRuns: 300 },
  );
});
