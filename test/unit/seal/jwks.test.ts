/** Every check of a key, attacked. */
import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { generateKeySet, parseJwks, parsePrivateJwks } from '../../../src/seal/index.ts';

const first = (text: string): JsonWebKey => JSON.parse(text).keys[0];
const EC = generateKeySet({ kty: 'EC', kid: 'ec' });
const OKP = generateKeySet({ kty: 'OKP', kid: 'okp' });
const RSA = generateKeySet({ kty: 'RSA', kid: 'rsa', rsaBits: 2048 });
const OCT = generateKeySet({ kty: 'oct', kid: 'oct' });
const [ec, okp, rsa, oct] = [first(EC.public!), first(OKP.public!), first(RSA.public!), first(OCT.private)];

const bytes = (...keys: unknown[]) => Buffer.from(JSON.stringify({ keys }));
const parse = (jwk: unknown, use: { alg?: string; symmetric?: boolean } = {}) =>
  parseJwks(bytes(jwk), { symmetric: false, ...use });

function publicJwk(type: 'rsa', options: { modulusLength: number; publicExponent?: number }): JsonWebKey {
  const { publicKey } = generateKeyPairSync(type, {
    ...options,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return createPublicKey(publicKey).export({ format: 'jwk' });
}

test.each([
  ['EC', ec, 'ECDH-ES+A256KW'],
  ['OKP', okp, 'ECDH-ES+A256KW'],
  ['RSA', rsa, 'RSA-OAEP-256'],
])('%s is taken, with its default alg', (_kty, jwk, alg) => {
  const { keys, refused } = parse(jwk);
  expect(refused).toEqual([]);
  expect(keys.map((key) => [key.kid, key.alg])).toEqual([[jwk['kid'], alg]]);
});

test('oct is taken where it is allowed, and only there', () => {
  expect(parse(oct, { symmetric: true }).keys.map(({ alg }) => alg)).toEqual(['A256KW']);
  expect(parse(oct).keys).toEqual([]);
});

/** X25519 points of order 1, 2, 4 and 8 (RFC 7748 section 6.1), little endian. */
const LOW_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
];

describe('refused to seal to', () => {
  const off = Buffer.from(ec.y!, 'base64url');
  off[31]! ^= 1;
  const cases: readonly (readonly [string, object, RegExp])[] = [
    ['an off-curve point', { ...ec, y: off.toString('base64url') }, /not on P-256/],
    ['a point of the wrong length', { ...ec, x: ec.x!.slice(0, -2) }, /x/],
    ['an EC key without y', { ...ec, y: undefined }, /y/],
    ...LOW_ORDER.map(
      (point, i) =>
        [
          `low-order point ${i}`,
          { ...okp, x: Buffer.from(point, 'hex').toString('base64url') },
          /low order/,
        ] as const,
    ),
    ['a private EC key', first(EC.private), /private member d/],
    ['a private OKP key', first(OKP.private), /private member d/],
    ['a private RSA key', first(RSA.private), /private member d/],
    ['RSA of 1024 bits', publicJwk('rsa', { modulusLength: 1024 }), /2048/],
    ['RSA with e of 3', publicJwk('rsa', { modulusLength: 2048, publicExponent: 3 }), /65537/],
    ['a key for signatures', { ...ec, use: 'sig' }, /use is "sig"/],
    ['key_ops for signatures', { ...rsa, key_ops: ['verify'] }, /key_ops/],
    ['key_ops twice', { ...rsa, key_ops: ['wrapKey', 'wrapKey'] }, /twice/],
    ['key_ops that is no list', { ...rsa, key_ops: 'wrapKey' }, /key_ops/],
    ['alg RSA1_5', { ...rsa, alg: 'RSA1_5' }, /RSA1_5/],
    ['alg RSA-OAEP', { ...rsa, alg: 'RSA-OAEP' }, /RSA-OAEP/],
    ['alg dir', { ...oct, alg: 'dir' }, /symmetric/],
    ['alg none', { ...ec, alg: 'none' }, /none/],
    ['alg of another kind', { ...ec, alg: 'RSA-OAEP-256' }, /does not go with/],
    ['an alg of __proto__', { ...ec, alg: '__proto__' }, /not supported/],
    ['a curve that is not ours', { ...ec, crv: 'secp256k1' }, /secp256k1/],
    ['Ed25519', { ...okp, crv: 'Ed25519' }, /Ed25519/],
    ['a kty that is none', { ...ec, kty: 'ec' }, /kty/],
    ['an exp that is no number', { ...ec, exp: '2030' }, /exp/],
    ['a kid that is no string', { ...ec, kid: 7 }, /kid/],
    ['a kid without end', { ...ec, kid: 'k'.repeat(5000) }, /kid/],
  ];
  test.each(cases)('%s', (_name, jwk, reason) => {
    const { keys, refused } = parse(jwk);
    expect(keys).toEqual([]);
    expect(refused.map(({ index }) => index)).toEqual([0]);
    expect(refused[0]!.reason).toMatch(reason);
  });

  test('what is no object', () => {
    expect(parseJwks(bytes(1, null, [], 'x'), { symmetric: false }).refused).toHaveLength(4);
  });

  test('a second key with the same kid', () => {
    const { keys, refused } = parseJwks(bytes(ec, { ...okp, kid: 'ec' }), { symmetric: false });
    expect(keys).toHaveLength(1);
    expect(refused[0]!.reason).toMatch(/same kid/);
  });

  test("an alg other than the audience's", () => {
    expect(parse({ ...rsa, alg: 'RSA-OAEP-256' }, { alg: 'ECDH-ES+A256KW' }).refused).toHaveLength(1);
    expect(parse(rsa, { alg: 'ECDH-ES+A256KW' }).refused).toHaveLength(1);
  });
});

test('no reason quotes a private or symmetric value', () => {
  for (const set of [EC, OKP, RSA, OCT]) {
    const jwk = first(set.private) as Record<string, string>;
    for (const change of [
      {},
      { kty: 'x' },
      { crv: 'x' },
      { use: 'sig' },
      { alg: 'x' },
      { key_ops: [] },
      { x: '' },
    ]) {
      const reasons = JSON.stringify([
        parse({ ...jwk, ...change }).refused,
        parsePrivateJwks(bytes({ ...jwk, ...change })).refused,
      ]);
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) {
        if (jwk[member] !== undefined) expect(reasons).not.toContain(jwk[member]);
      }
    }
  }
});

describe('what is no JWK Set', () => {
  test.each([
    ['', 'empty'],
    ['{', 'cut'],
    ['[]', 'a list'],
    ['{"keys":{}}', 'keys no list'],
    [JSON.stringify({ keys: Array(1001).fill({}) }), 'too many'],
    [`{"keys":[],"x":"${'x'.repeat(1_100_000)}"}`, 'too large'],
  ])('%#: %s', (text) => {
    expect(() => parseJwks(Buffer.from(text), { symmetric: false })).toThrow(
      expect.objectContaining({ code: 'keys.unreadable' }),
    );
  });
});

describe('refused to open with', () => {
  test.each<readonly [string, object]>([
    ['a public key', ec],
    ['halves of two pairs', { ...first(EC.private), x: first(generateKeySet({ kty: 'EC' }).private).x }],
    [
      'halves of two X25519 pairs',
      { ...first(OKP.private), d: first(generateKeySet({ kty: 'OKP' }).private).d },
    ],
    ['halves of two RSA pairs', { ...first(RSA.private), n: publicJwk('rsa', { modulusLength: 2048 }).n }],
    ['a key for signatures', { ...first(EC.private), use: 'sig' }],
    ['a short secret', { ...oct, k: 'AAAA' }],
  ])('%s', (_name, jwk) => {
    const { keys, refused } = parsePrivateJwks(bytes(jwk));
    expect([keys.length, refused.length]).toEqual([0, 1]);
  });
});

test.each([
  ['key_ops that sign', { ...ec, key_ops: ['sign', 'deriveKey'] }, 'one use'],
  ['key_ops that verify', { ...rsa, key_ops: ['verify', 'wrapKey'] }, 'one use'],
  ['an alg that is null', { ...ec, alg: null }, 'not supported'],
  ['a kid that moves the cursor', { ...ec, kid: 'a\u009b31m' }, 'not printed'],
  ['a kid that hides text', { ...ec, kid: 'a\u202e' }, 'not printed'],
  ['a modulus with a small factor', { ...rsa, n: divisibleBy3() }, 'divisible by 3'],
  ['a placeholder', { kty: 'oct', k: 'A'.repeat(43) }, 'placeholder'],
])('%s is refused', (_, jwk, reason) => {
  const { keys, refused } = parse(jwk, { symmetric: true });
  expect(keys).toEqual([]);
  expect(refused[0]!.reason).toContain(reason);
  expect(JSON.stringify(refused)).not.toMatch(/\u009b|\u202e/);
});

function divisibleBy3(): string {
  let n = (1n << 2047n) + 1n;
  while (n % 3n !== 0n) n += 2n;
  return Buffer.from(n.toString(16), 'hex').toString('base64url');
}
