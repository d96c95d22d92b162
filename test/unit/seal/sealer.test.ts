import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClaimsealError } from '../../../src/errors.ts';
import type { KeySnapshot, Notice } from '../../../src/event.ts';
import { LIMITS, type Limits } from '../../../src/seal/content-key.ts';
import { createSealer, encryptions, parseJwks } from '../../../src/seal/index.ts';
import { createSealerWithin } from '../../../src/seal/sealer.ts';
import {
  EVT,
  headerOf,
  ISSUER,
  joseOpens,
  KTYS,
  newPair,
  open,
  PAIRS,
  recipientOf,
  sealerFor,
} from './support.ts';

const TEXT = '{"user":{"email":"ann@corp.example","name":"\u00c5nn \u{1f511}"}}';

const combinations = KTYS.flatMap((kty) =>
  encryptions.flatMap((enc) => [true, false].map((reuse) => ({ kty, enc, reuse }))),
);

describe('what is sealed', () => {
  it.each(combinations)(
    'opens with jose and with openCompact: $kty $enc reuse $reuse',
    async ({ kty, enc, reuse }) => {
      const pair = PAIRS[kty];
      const { seal } = sealerFor(pair, { enc, reuse });
      for (const text of ['{}', TEXT, `{"a":"${'x'.repeat(70_000)}"}`]) {
        const jwe = seal(text);
        const { plaintext, protectedHeader } = await joseOpens(jwe, pair, enc);
        expect(Buffer.from(plaintext).toString().trimEnd()).toBe(text);
        expect(protectedHeader).toMatchObject({
          alg: pair.alg,
          enc,
          iss: ISSUER,
          aud: 'payroll',
          cty: 'json',
        });
        expect(open(jwe, pair.privateKeys).plaintext).toEqual(Buffer.from(plaintext));
      }
    },
  );

  it('has the constant header members first, evt last, in the stated order', () => {
    const { seal } = sealerFor(PAIRS.EC);
    expect(Object.keys(headerOf(seal('{}')))).toEqual([
      'alg',
      'enc',
      'kid',
      'typ',
      'cty',
      'iss',
      'aud',
      'epk',
      'evt',
    ]);
    expect(open(seal('{}', '["a",12345678901234567890]'), PAIRS.EC.privateKeys).header.toString()).toContain(
      '["a",12345678901234567890]}',
    );
  });

  it('has a kid only where the key has one', () => {
    const set = JSON.parse(PAIRS.EC.set) as { keys: Record<string, unknown>[] };
    const { kid: _, ...nameless } = set.keys[0]!;
    const [recipient] = parseJwks(Buffer.from(JSON.stringify({ keys: [nameless] })), {
      symmetric: false,
    }).keys;
    const { seal } = sealerFor({ ...PAIRS.EC, recipient: recipient! });
    expect(headerOf(seal('{}'))).not.toHaveProperty('kid');
    expect(open(seal('{}'), PAIRS.EC.privateKeys).plaintext.toString().trimEnd()).toBe('{}');
  });

  it('names quarantine in typ, which a reader of views refuses', () => {
    const { seal } = sealerFor(PAIRS.OKP, { typ: 'quarantine', aud: 'quarantine' });
    const jwe = seal('{}');
    expect(headerOf(jwe)['typ']).toBe('claimseal-quarantine+jwe');
    expect(() => open(jwe, PAIRS.OKP.privateKeys, { aud: 'quarantine' })).toThrow('does not open');
    expect(open(jwe, PAIRS.OKP.privateKeys, { aud: 'quarantine', typ: 'quarantine' }).plaintext).toHaveLength(
      64,
    );
  });

  it('is padded with white space to a multiple of pad, and a parser does not mind', async () => {
    for (const [pad, length, padded] of [
      [64, 1, 64],
      [64, 63, 64],
      [64, 64, 64],
      [64, 65, 128],
      [1, 65, 65],
      [100, 300_001, 300_100],
    ] as const) {
      const { seal } = sealerFor(PAIRS.OKP, { pad });
      const text = `"${'x'.repeat(length)}"`.slice(2).padStart(length, '1');
      const { plaintext } = open(seal(text), PAIRS.OKP.privateKeys);
      expect(plaintext).toHaveLength(padded);
      expect(plaintext.toString()).toBe(text.padEnd(padded, ' '));
    }
  });

  it('leaves the given plaintext as it was, and keeps nothing of a longer one in a shorter', () => {
    const { sealer, seal } = sealerFor(PAIRS.OKP);
    const plaintext = Buffer.from(`{"secret":"${'s'.repeat(200)}"}`);
    const before = Buffer.from(plaintext);
    sealer.seal('payroll', EVT, plaintext);
    expect(plaintext).toEqual(before);
    expect(open(seal('{}'), PAIRS.OKP.privateKeys).plaintext.toString()).toBe('{}'.padEnd(64, ' '));
  });

  it('puts an id of any script and length up to the limit into evt, and refuses a longer one', () => {
    const { seal } = sealerFor(PAIRS.EC);
    const room = 15_000;
    for (const id of ['\u00e9\u20ac\u{1f511}', 'x'.repeat(room), '\u20ac'.repeat(room / 3)]) {
      const jwe = seal('{}', JSON.stringify([id]));
      expect(JSON.parse(open(jwe, PAIRS.EC.privateKeys).header.toString())).toMatchObject({ evt: [id] });
    }
    for (const id of ['x'.repeat(16_384), '\u20ac'.repeat(5_500)]) {
      expect(() => seal('{}', JSON.stringify([id]))).toThrowError(
        expect.objectContaining({ code: 'event.id' }),
      );
    }
  });

  it('goes right up to the header limit that readers keep', () => {
    const { seal } = sealerFor(PAIRS.EC);
    let longest = 0;
    for (let length = 15_800; length < 16_384; length += 1) {
      try {
        const jwe = seal('{}', JSON.stringify(['x'.repeat(length)]));
        open(jwe, PAIRS.EC.privateKeys);
        longest = Buffer.from(jwe.split('.')[0]!, 'base64url').length;
      } catch (error) {
        expect(error).toMatchObject({ code: 'event.id' });
        break;
      }
    }
    expect(longest).toBe(16_384);
  });
});

describe('content keys', () => {
  const pairA = PAIRS.EC;
  const pairB = newPair('EC', 'other');
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  const within = (limits: Partial<Limits>, more: { now?: () => number; reuse?: boolean } = {}) => {
    const notices: Notice[] = [];
    const { now, reuse = true } = more;
    const sealer = createSealerWithin(
      { ...LIMITS, ...limits },
      {
        issuer: ISSUER,
        recipients: [recipientOf({ reuse })],
        observe: (n) => notices.push(n),
        ...(now === undefined ? {} : { now }),
      },
    );
    closers.push(() => sealer.close());
    const snapshot: KeySnapshot = new Map([['payroll', pairA.recipient]]);
    sealer.use(snapshot);
    const retirements = () =>
      notices.flatMap((n) => (n.type === 'contentKey' && n.change === 'retired' ? [n.reason] : []));
    const seal = (text = '{}') => sealer.seal('payroll', EVT, Buffer.from(text));
    return { sealer, notices, snapshot, retirements, seal };
  };

  const wrappedKey = (jwe: string) => jwe.split('.')[1]!;
  const ivOf = (jwe: string) => Buffer.from(jwe.split('.')[2]!, 'base64url');

  it('have the limits of the design', () => {
    expect(LIMITS).toEqual({ messages: 1_000_000, plaintextBytes: 2 ** 30, ageMs: 300_000, ivs: 2 ** 32 });
    expect(Object.isFrozen(LIMITS)).toBe(true);
  });

  it('are reused, counting IVs from zero with 32 zero bits in front', () => {
    const { seal } = within({});
    const jwes = Array.from({ length: 300 }, () => seal());
    expect(new Set(jwes.map(wrappedKey)).size).toBe(1);
    for (const [index, jwe] of jwes.entries()) {
      const iv = ivOf(jwe);
      expect(iv.readUInt32BE(0)).toBe(0);
      expect(iv.readBigUInt64BE(4)).toBe(BigInt(index));
    }
  });

  it('are new for each message with reuse off, and make no notices', () => {
    const { seal, notices } = within({}, { reuse: false });
    const jwes = Array.from({ length: 20 }, () => seal());
    expect(new Set(jwes.map(wrappedKey)).size).toBe(20);
    expect(new Set(jwes.map((jwe) => JSON.stringify(headerOf(jwe)['epk']))).size).toBe(20);
    expect(notices).toEqual([]);
  });

  it('are retired by messages', () => {
    const { seal, retirements } = within({ messages: 3 });
    const wrapped = Array.from({ length: 7 }, () => wrappedKey(seal()));
    expect(new Set(wrapped).size).toBe(3);
    expect(wrapped[2]).toBe(wrapped[0]);
    expect(wrapped[3]).not.toBe(wrapped[2]);
    expect(retirements()).toEqual(['messages', 'messages']);
  });

  it('are retired by bytes of plaintext, padding included, before the limit is passed', () => {
    const { seal, retirements } = within({ plaintextBytes: 128 });
    const wrapped = Array.from({ length: 3 }, () => wrappedKey(seal()));
    expect(wrapped[1]).toBe(wrapped[0]);
    expect(wrapped[2]).not.toBe(wrapped[1]);
    expect(retirements()).toEqual(['bytes']);
    seal('1'.repeat(1000)); // larger than the whole budget: by itself under a key of its own
    expect(retirements()).toEqual(['bytes', 'bytes']);
  });

  it('are retired by age at their next use', () => {
    let now = 1000;
    const { seal, retirements } = within({}, { now: () => now });
    const first = wrappedKey(seal());
    now += 300_000 - 1;
    expect(wrappedKey(seal())).toBe(first);
    now += 1;
    expect(wrappedKey(seal())).not.toBe(first);
    expect(retirements()).toEqual(['age']);
  });

  it('are retired by age without traffic', async () => {
    const { seal, retirements } = within({ ageMs: 5 });
    seal();
    await vi.waitFor(() => expect(retirements()).toEqual(['age']));
  });

  it('are retired when the snapshot has another recipient, in the middle of a batch', async () => {
    const { sealer, seal, retirements } = within({});
    const before = seal();
    sealer.use(new Map([['payroll', pairB.recipient]]));
    const after = seal();
    expect(retirements()).toEqual(['recipient']);
    expect(headerOf(after)['kid']).toBe('other');
    await joseOpens(before, pairA);
    await joseOpens(after, pairB);
    await expect(joseOpens(after, pairA)).rejects.toThrow();
    expect(() => open(after, pairA.privateKeys)).toThrow('does not open');
    // back to the first recipient is a new content key all the same
    sealer.use(new Map([['payroll', pairA.recipient]]));
    expect(wrappedKey(seal())).not.toBe(wrappedKey(before));
  });

  it('stay when another snapshot has the same recipient', () => {
    const { sealer, seal, snapshot, retirements } = within({});
    const first = wrappedKey(seal());
    sealer.use(new Map(snapshot));
    const again = parseJwks(Buffer.from(pairA.set), { symmetric: false }).keys[0]!;
    sealer.use(new Map([['payroll', again]]));
    expect(wrappedKey(seal())).toBe(first);
    expect(retirements()).toEqual([]);
  });

  it('are retired when the recipient is gone, and nothing is sealed then', () => {
    const { sealer, seal, retirements } = within({});
    seal();
    sealer.use(new Map());
    expect(retirements()).toEqual(['recipient']);
    expect(() => seal()).toThrowError(expect.objectContaining({ code: 'keys.none' }));
  });

  it('are retired at close, and nothing is sealed then', () => {
    const { sealer, seal, retirements } = within({});
    seal();
    sealer.close();
    expect(retirements()).toEqual(['closed']);
    expect(() => seal()).toThrowError(expect.objectContaining({ code: 'keys.none' }));
  });

  it('stop hard when no IV is left, whatever the other limits say', () => {
    const { seal } = within({ ivs: 2 });
    seal();
    seal();
    expect(() => seal()).toThrowError(
      expect.objectContaining({ code: 'seal.exhausted', disposition: 'halt' }),
    );
  });

  it('cannot be had from the outside', () => {
    const sealer = createSealer({ issuer: ISSUER, recipients: [recipientOf()], observe: () => {} });
    closers.push(() => sealer.close());
    sealer.use(new Map([['payroll', pairA.recipient]]));
    expect(Object.keys(sealer).sort()).toEqual(['close', 'seal', 'use']);
    expect(Reflect.ownKeys(pairA.recipient.material)).toEqual([]);
    expect(() => sealer.use(new Map([['payroll', { ...pairB.recipient, material: {} }]]))).not.toThrow();
    expect(() => sealer.seal('payroll', EVT, Buffer.from('{}'))).toThrow(ClaimsealError);
  });
});

describe('createSealer', () => {
  it('refuses an enc outside the table', () => {
    for (const enc of ['A256CBC', 'none', 'toString', '__proto__']) {
      expect(() =>
        createSealer({ issuer: ISSUER, recipients: [recipientOf({ enc })], observe: () => {} }),
      ).toThrowError(expect.objectContaining({ code: 'config.invalid' }));
    }
  });

  it('refuses an audience it does not know', () => {
    const { sealer } = sealerFor(PAIRS.EC);
    expect(() => sealer.seal('siem', EVT, Buffer.from('{}'))).toThrowError(
      expect.objectContaining({ code: 'keys.none' }),
    );
  });

  it('keeps audiences apart', async () => {
    const other = newPair('EC', 'siem');
    const sealer = createSealer({
      issuer: ISSUER,
      recipients: [recipientOf(), recipientOf({ aud: 'siem', name: 'siem' })],
      observe: () => {},
    });
    sealer.use(
      new Map([
        ['payroll', PAIRS.EC.recipient],
        ['siem', other.recipient],
      ]),
    );
    const jwe = sealer.seal('siem', EVT, Buffer.from('{}'));
    await joseOpens(jwe, other);
    await expect(joseOpens(jwe, PAIRS.EC)).rejects.toThrow();
    expect(() => open(jwe, other.privateKeys)).toThrow('does not open');
    expect(open(jwe, other.privateKeys, { aud: 'siem' }).plaintext).toHaveLength(64);
    sealer.close();
  });
});
