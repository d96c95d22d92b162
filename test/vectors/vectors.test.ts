/**
 * Known answers and known attacks: RFC 7516, 7518, Wycheproof, messages of other libraries. They live in a folder of
 * their own, named by JOSE_VECTORS; without it these tests are skipped, and say so.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALGS, ENCS } from '../../src/seal/algorithms.ts';
import { parsePrivateJwks } from '../../src/seal/index.ts';
import { agree, concatKdf, unwrapKey, wrapKey } from '../../src/seal/key-management.ts';
import { importPrivate, importPublic, type Jwk, type Kind } from '../../src/seal/kinds.ts';
import { decryptCompact } from '../../src/seal/open.ts';

const folder = process.env['JOSE_VECTORS'] ?? '';
const there = existsSync(join(folder, 'wycheproof'));
if (!there) process.stderr.write('SKIPPED: test vectors, since JOSE_VECTORS names no folder with them\n');
// biome-ignore lint/suspicious/noExplicitAny: files of many shapes, checked by what is compared
const load = (file: string): any => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const hex = (text: string) => Buffer.from(text, 'hex');

const algs = Object.keys(ALGS);
const encs = Object.keys(ENCS);

/** The plaintext as base64url, or the code of the refusal. */
function open(jwe: string, jwk: object): string {
  const keys = parsePrivateJwks(Buffer.from(JSON.stringify({ keys: [jwk] })));
  try {
    return decryptCompact(jwe, { keys, algs, encs, maxBytes: 1 << 20 }).plaintext.toString('base64url');
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Whether a message is one that claimseal opens at all: `alg` and `enc` of its tables, on the curves it knows, not compressed. */
function ours(jwe: string, jwk: Jwk): boolean {
  try {
    const { alg, enc, epk, zip } = JSON.parse(Buffer.from(jwe.split('.')[0]!, 'base64url').toString());
    const curve = (epk as Jwk | undefined)?.['crv'] ?? 'P-256';
    return (
      zip === undefined &&
      algs.includes(alg) &&
      encs.includes(enc) &&
      (curve === 'P-256' || curve === 'X25519') &&
      jwk !== undefined
    );
  } catch {
    return false;
  }
}

describe.skipIf(!there)('messages', () => {
  test.each([
    'rfc/rfc7516.json',
    'foreign/upstream-samples.json',
    'negative/go-jose.json',
    'negative/jose4j-nimbus.json',
  ])('%s', (file) => {
    const { keys, vectors } = load(file);
    let opened = 0;
    for (const { id, jwe, key, result, plaintext_b64u } of vectors) {
      if (typeof jwe !== 'string' || keys[key] === undefined) continue;
      const expected = result === 'valid' && ours(jwe, keys[key]) ? plaintext_b64u : 'open.failed';
      expect(open(jwe, keys[key]), id).toBe(expected);
      if (expected !== 'open.failed') opened += 1;
    }
    if (file.startsWith('foreign')) expect(opened).toBeGreaterThan(0);
  });

  test('wycheproof/json_web_encryption_test.json', () => {
    let opened = 0;
    for (const group of load('wycheproof/json_web_encryption_test.json').testGroups) {
      for (const { tcId, jwe, pt, result } of group.tests) {
        if (typeof jwe !== 'string') continue;
        const { alg } = group.private;
        const fits = ours(jwe, group.private) && (alg === undefined || algs.includes(alg));
        const expected = result === 'valid' && fits ? hex(pt).toString('base64url') : 'open.failed';
        expect(open(jwe, group.private), `${group.comment} ${tcId}`).toBe(expected);
        if (expected !== 'open.failed') opened += 1;
      }
    }
    expect(opened).toBeGreaterThan(0);
  });
});

describe.skipIf(!there)('primitives', () => {
  test('Concat KDF: RFC 7518 appendix C', () => {
    for (const { id, z, otherinfo, keydatalen, derived_key_b64u, header } of load('rfc/ecdh-es-kdf.json')
      .vectors) {
      const info = hex(otherinfo);
      const algorithm = info.subarray(4, 4 + info.readUInt32BE(0)).toString();
      const party = (value = '') => Buffer.from(value, 'base64url');
      const derived = concatKdf(hex(z), keydatalen / 8, algorithm, party(header.apu), party(header.apv));
      expect(derived.toString('base64url'), id).toBe(derived_key_b64u);
    }
  });

  test.each<readonly [string, Kind]>([
    ['wycheproof/ecdh_secp256r1_webcrypto_test.json', 'P-256'],
    ['wycheproof/x25519_jwk_test.json', 'X25519'],
  ])('key agreement: %s', (file, kind) => {
    let agreed = 0;
    for (const { tests } of load(file).testGroups) {
      for (const { tcId, public: publicJwk, private: privateJwk, shared, result, flags } of tests) {
        const publicKey = importPublic(publicJwk, kind);
        const privateKey = importPrivate(privateJwk, kind);
        const secret = attempt(() =>
          'reason' in publicKey || 'reason' in privateKey
            ? undefined
            : agree(privateKey, publicKey).toString('hex'),
        );
        const insecure = hex(shared ?? '').every((byte) => byte === 0);
        if (result === 'invalid' || insecure) expect(secret, `${tcId} ${flags}`).toBeUndefined();
        else if (secret !== undefined) expect(secret, `${tcId}`).toBe(shared);
        else expect(result, `${tcId} ${flags}`).toBe('acceptable');
        if (secret !== undefined) agreed += 1;
      }
    }
    expect(agreed).toBeGreaterThan(20);
  });

  test('AES key wrap: wycheproof/aes_wrap_test.json', () => {
    for (const { tests } of load('wycheproof/aes_wrap_test.json').testGroups) {
      for (const { tcId, key, msg, ct, result } of tests) {
        const unwrapped = attempt(() => unwrapKey(hex(key), hex(ct)).toString('hex'));
        expect(unwrapped, tcId).toBe(result === 'valid' ? msg : undefined);
        if (result === 'valid') expect(wrapKey(hex(key), hex(msg)).toString('hex')).toBe(ct);
      }
    }
  });

  test('RSA-OAEP-256: wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json', () => {
    for (const { privateKeyJwk, tests } of load('wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json')
      .testGroups) {
      const key = importPrivate(privateKeyJwk, 'RSA');
      if ('reason' in key) throw new Error(key.reason);
      for (const { tcId, msg, ct, label, result } of tests) {
        if (label !== '') continue; // JWE has none
        const bytes = hex(msg).length;
        const unwrapped = ALGS['RSA-OAEP-256']!.unwrap(key, 'RSA', {}, hex(ct), bytes);
        expect(unwrapped?.toString('hex'), tcId).toBe(result === 'valid' ? msg : undefined);
      }
    }
  });

  test('AES-GCM: wycheproof/aes_gcm_test.json', () => {
    let compared = 0;
    for (const { ivSize, keySize, tagSize, tests } of load('wycheproof/aes_gcm_test.json').testGroups) {
      const cipher = ENCS[`A${keySize}GCM`];
      if (cipher === undefined || ivSize !== 96 || tagSize !== 128) continue;
      for (const { tcId, key, iv, aad, msg, ct, tag, result } of tests) {
        const encrypted = { ciphertext: hex(ct), tag: hex(tag) };
        const plaintext = attempt(() =>
          cipher.decrypt(hex(key), hex(iv), hex(aad), encrypted).toString('hex'),
        );
        expect(plaintext, tcId).toBe(result === 'valid' ? msg : undefined);
        if (result !== 'valid') continue;
        const again = cipher.encryptor(hex(key))(hex(iv), hex(aad), hex(msg));
        expect([again.ciphertext.toString('hex'), again.tag.toString('hex')], tcId).toEqual([ct, tag]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(50);
  });
});

function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}
