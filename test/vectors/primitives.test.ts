/** What a JWE is made of: AES-GCM, AES Key Wrap, RSA-OAEP-256, key agreement and its KDF, key sets. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { aesGcm } from '../../src/seal/content-encryption.ts';
import { parseJwks, parsePrivateJwks } from '../../src/seal/index.ts';
import { aesKeyWrap, agree, concatKdf, rsaOaep, wrapKey } from '../../src/seal/key-management.ts';
import { importEphemeral, importPrivate, type Kind } from '../../src/seal/kinds.ts';
import { reveal } from '../../src/seal/material.ts';
import {
  b64u,
  describeVectors,
  hex,
  type Jwk,
  setOf,
  vectorFiles,
  vectors,
  type WycheproofTest,
  wycheproof,
} from './support.ts';

type AesBytes = 16 | 24 | 32;

const attempt = <T>(act: () => T): T | undefined => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

/** Z, or undefined where a key is refused or the agreement is. */
function sharedSecret(privateJwk: Jwk, publicJwk: Jwk, kind: Kind): Buffer | undefined {
  const publicKey = importEphemeral(publicJwk, kind);
  const privateKey = importPrivate(privateJwk, kind);
  if (publicKey === undefined || 'reason' in privateKey) return undefined;
  return attempt(() => agree(privateKey, publicKey));
}

describeVectors('AES-GCM', () => {
  test('Wycheproof: opens what is valid, refuses a changed tag, makes the same bytes', () => {
    type Test = WycheproofTest & Readonly<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>>;
    const all = wycheproof<{ keySize: number; ivSize: number; tagSize: number }, Test>('aes_gcm');
    let tried = 0;
    for (const { group, test } of all) {
      // the opener refuses any other length before it comes here
      if (group.ivSize !== 96 || group.tagSize !== 128) continue;
      const cipher = aesGcm((group.keySize / 8) as AesBytes);
      const [key, iv, aad, msg] = [test.key, test.iv, test.aad, test.msg].map(hex) as [
        Buffer,
        Buffer,
        Buffer,
        Buffer,
      ];
      const encrypted = { ciphertext: hex(test.ct), tag: hex(test.tag) };
      const plaintext = attempt(() => cipher.decrypt(key, iv, aad, encrypted));
      if (test.result === 'valid') {
        expect(plaintext, `${test.tcId}`).toEqual(msg);
        expect(cipher.encryptor(key)(iv, aad, msg), `${test.tcId}`).toEqual(encrypted);
      } else expect(plaintext, `${test.tcId}`).toBeUndefined();
      tried += 1;
    }
    expect(tried).toBeGreaterThan(150);
  });

  test('RFC 7520: makes the ciphertext and tag of each example', () => {
    interface Example {
      readonly input?: { readonly plaintext: string; readonly key?: Jwk; readonly enc?: string };
      readonly generated?: { readonly cek?: string; readonly iv?: string };
      readonly encrypting_key?: { readonly cek?: string };
      readonly encrypting_content?: {
        readonly protected_b64u?: string;
        readonly ciphertext: string;
        readonly tag: string;
      };
    }
    const made: string[] = [];
    for (const path of vectorFiles('rfc7520')) {
      const { input, generated, encrypting_content: content } = vectors<Example>(path)[0]!;
      const k = generated?.cek ?? input?.key?.['k'];
      const bytes = { A128GCM: 16, A256GCM: 32 }[input?.enc ?? ''] as AesBytes | undefined;
      const aad = content?.protected_b64u;
      // derived keys, another AAD, and what is compressed first are not for this test
      if (bytes === undefined || typeof k !== 'string' || aad === undefined || !/5_[2468]\./.test(path))
        continue;
      const encrypt = aesGcm(bytes).encryptor(b64u(k));
      const { ciphertext, tag } = encrypt(
        b64u(generated!.iv!),
        Buffer.from(aad),
        Buffer.from(input!.plaintext),
      );
      expect(ciphertext.toString('base64url'), path).toBe(content!.ciphertext);
      expect(tag.toString('base64url'), path).toBe(content!.tag);
      made.push(path);
    }
    expect(made.length).toBe(4);
  });
});

describeVectors('AES Key Wrap', () => {
  test('Wycheproof: unwraps what is valid and nothing else, makes the same bytes', () => {
    type Test = WycheproofTest & Readonly<Record<'key' | 'msg' | 'ct', string>>;
    const all = wycheproof<{ keySize: number }, Test>('aes_wrap');
    for (const { group, test } of all) {
      const row = aesKeyWrap((group.keySize / 8) as AesBytes);
      const kek = createSecretKey(hex(test.key));
      const name = `${test.tcId} ${test.comment}`;
      const [msg, ct] = [hex(test.msg), hex(test.ct)];
      for (const bytes of [16, 32]) {
        const key = row.unwrap(kek, 'oct', {}, ct, bytes);
        if (test.result === 'valid' && msg.length === bytes) expect(key, name).toEqual(msg);
        else expect(key, name).toBeUndefined();
      }
      if (test.result === 'valid') expect(wrapKey(kek, msg), name).toEqual(ct);
    }
    expect(all.length).toBe(129);
  });

  test('RFC 7520 section 5.8: makes the encrypted key', () => {
    const path = vectorFiles('rfc7520').find((name) => name.includes('/5_8.'))!;
    interface Example {
      readonly input: { readonly key: { readonly k: string } };
      readonly generated: { readonly cek: string };
      readonly encrypting_key: { readonly encrypted_key: string };
    }
    const { input, generated, encrypting_key } = vectors<Example>(path)[0]!;
    const wrapped = wrapKey(b64u(input.key.k), b64u(generated.cek));
    expect(wrapped.toString('base64url')).toBe(encrypting_key.encrypted_key);
  });
});

describeVectors('RSA-OAEP', () => {
  type Test = WycheproofTest & Readonly<Record<'msg' | 'ct' | 'label', string>>;
  interface Group {
    readonly privateKeyJwk: Jwk;
  }
  const keyOf = ({ privateKeyJwk }: Group): KeyObject => {
    const { alg: _alg, ...jwk } = privateKeyJwk;
    return reveal(parsePrivateJwks(setOf(jwk)).keys[0]!.material).key;
  };

  test('256, Wycheproof: unwraps what is valid without a label and nothing else', () => {
    const all = wycheproof<Group, Test>('rsa_oaep_2048_sha256_mgf1sha256');
    let valid = 0;
    for (const { group, test } of all) {
      const msg = hex(test.msg);
      const key = rsaOaep('sha256').unwrap(keyOf(group), 'RSA', {}, hex(test.ct), msg.length);
      if (test.result === 'valid' && test.label === '') {
        expect(key, `${test.tcId}`).toEqual(msg);
        expect(
          rsaOaep('sha256').unwrap(keyOf(group), 'RSA', {}, hex(test.ct), msg.length + 1),
        ).toBeUndefined();
        valid += 1;
      } else expect(key, `${test.tcId} ${test.comment}`).toBeUndefined();
    }
    expect(valid).toBeGreaterThan(4);
  });

  test('with SHA-1: neither the messages nor the keys are taken', () => {
    const all = wycheproof<Group, Test>('rsa_oaep_2048_sha1_mgf1sha1');
    for (const { group, test } of all) {
      const msg = hex(test.msg);
      expect(rsaOaep('sha256').unwrap(keyOf(group), 'RSA', {}, hex(test.ct), msg.length)).toBeUndefined();
      expect(parsePrivateJwks(setOf(group.privateKeyJwk)).refused[0]?.reason).toContain('"RSA-OAEP"');
    }
    expect(all.length).toBeGreaterThan(0);
  });
});

describeVectors('key agreement', () => {
  type Test = WycheproofTest & { readonly public: Jwk; readonly private: Jwk; readonly shared: string };

  test('P-256, Wycheproof: agrees on what is valid; off the curve or on another one is refused', () => {
    const all = wycheproof<object, Test>('ecdh_secp256r1_webcrypto');
    for (const { test } of all) {
      const name = `${test.tcId} ${test.comment}`;
      const secret = sharedSecret(test.private, test.public, 'P-256');
      // on P-256 a secret of zeros is a point like others, but no honest pair comes to it: it is refused as well
      if (test.result === 'valid') expect(secret?.toString('hex') ?? '0'.repeat(64), name).toBe(test.shared);
      else {
        expect(secret, name).toBeUndefined();
        const { keys, refused } = parseJwks(setOf(test.public), { symmetric: false });
        expect([keys.length, refused.length], name).toEqual([0, 1]);
      }
    }
    expect(all.length).toBe(50);
  });

  test.each(['384', '521'])('P-%s is refused as a kind that this version does not have', (size) => {
    const all = wycheproof<object, Test>(`ecdh_secp${size}r1_webcrypto`);
    for (const { test } of all.filter(({ test: { result } }) => result === 'valid'))
      expect(parseJwks(setOf(test.public), { symmetric: false }).refused[0]?.reason).toContain('crv');
    expect(all.length).toBeGreaterThan(20);
  });

  test('X25519, Wycheproof: agrees on what is valid; a secret of zeros is refused', () => {
    const all = wycheproof<object, Test>('x25519_jwk');
    let zeros = 0;
    for (const { test } of all) {
      const name = `${test.tcId} ${test.comment}`;
      const secret = sharedSecret(test.private, test.public, 'X25519');
      const taken = parseJwks(setOf(test.public), { symmetric: false }).keys.length;
      if (test.flags.includes('ZeroSharedSecret')) {
        expect([secret, taken], name).toEqual([undefined, 0]);
        zeros += 1;
      } else if (test.result === 'invalid') {
        expect(secret, name).toBeUndefined();
        // a good key of another kind is one that may be sealed to
        expect(taken, name).toBe(test.public['crv'] === 'P-256' ? 1 : 0);
      } else {
        expect(secret?.toString('hex'), name).toBe(test.shared);
        expect(taken, name).toBe(1);
      }
    }
    expect(zeros).toBeGreaterThan(20);
  });

  test('RFC 7518 appendix C, RFC 8037 A.6, jose4j: secret and derived key', () => {
    interface Kdf {
      readonly id: string;
      readonly curve: 'P-256' | 'X25519';
      readonly recipient: Jwk;
      readonly header: {
        readonly alg: string;
        readonly enc: string;
        readonly epk: Jwk;
        readonly apu?: string;
        readonly apv?: string;
      };
      readonly z: string;
      readonly keydatalen: number;
      readonly derived_key_b64u: string;
    }
    const all = vectors<{ vectors: readonly Kdf[] }>('rfc/ecdh-es-kdf.json').flatMap((file) => file.vectors);
    for (const { id, curve, recipient, header, z, keydatalen, derived_key_b64u } of all) {
      const secret = sharedSecret(recipient, header.epk, curve)!;
      expect(secret.toString('hex'), id).toBe(z);
      const { alg, enc, apu = '', apv = '' } = header;
      const derived = concatKdf(secret, keydatalen / 8, alg === 'ECDH-ES' ? enc : alg, b64u(apu), b64u(apv));
      expect(derived.toString('base64url'), id).toBe(derived_key_b64u);
    }
    expect(all.length).toBe(3);
  });
});
