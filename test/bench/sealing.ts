/** The AEAD hot path: sealing one plaintext, against what else could be done with it. */
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { CompactEncrypt, type CryptoKey, compactDecrypt, importJWK } from 'jose';
import { createSealer, generateKeySet, parseJwks } from '../../src/seal/index.ts';
import { race, type Timing } from './measure.ts';

export interface SealingRow {
  readonly bytes: number;
  readonly timings: readonly Timing[];
}

export const CONTENDERS = {
  bare: 'node:crypto AES-256-GCM, nothing else',
  claimseal: 'claimseal, content key reused',
  dir: 'jose, dir, imported key',
  fresh: 'claimseal, reuse: off (ECDH-ES+A256KW)',
  jose: 'jose, ECDH-ES+A256KW (a content key each)',
} as const;

export async function benchSealing(sizes: readonly number[]): Promise<SealingRow[]> {
  const set = generateKeySet({ kty: 'EC', kid: 'bench' });
  const parsed = parseJwks(Buffer.from(set.public!), { symmetric: false }).keys[0]!;
  const publicJwk = JSON.parse(set.public!).keys[0];
  const privateJwk = JSON.parse(set.private).keys[0];
  const publicKey = (await importJWK(publicJwk, 'ECDH-ES+A256KW')) as CryptoKey;
  const privateKey = (await importJWK(privateJwk, 'ECDH-ES+A256KW')) as CryptoKey;
  const dirKey = (await importJWK(
    { kty: 'oct', k: randomBytes(32).toString('base64url') },
    'A256GCM',
  )) as Uint8Array;
  const dirCryptoKey = await crypto.subtle.importKey(
    'raw',
    dirKey as Uint8Array<ArrayBuffer>,
    'AES-GCM',
    false,
    ['encrypt', 'decrypt'],
  );

  const common = { name: 'bench', typ: 'view', enc: 'A256GCM', pad: 1 } as const;
  const sealer = createSealer({
    issuer: 'https://idp.example/events',
    recipients: [
      { ...common, aud: 'reused', reuse: true },
      { ...common, aud: 'fresh', reuse: false },
    ],
    observe: () => {},
  });
  sealer.use(
    new Map([
      ['reused', parsed],
      ['fresh', parsed],
    ]),
  );

  const bareKey = createSecretKey(randomBytes(32));
  const bareIv = Buffer.alloc(12);
  let counter = 0;
  const evt = '["/idp/eu-1","evt-000001"]';
  const header = {
    enc: 'A256GCM',
    kid: 'bench',
    typ: 'claimseal-view+jwe',
    cty: 'json',
    iss: 'https://idp.example/events',
    aud: 'bench',
    evt: ['/idp/eu-1', 'evt-000001'],
  };
  const aad = Buffer.from(Buffer.from(JSON.stringify(header)).toString('base64url'), 'latin1');

  const rows: SealingRow[] = [];
  for (const bytes of sizes) {
    const plaintext = Buffer.from(JSON.stringify({ x: 'y'.repeat(Math.max(0, bytes - 8)) }));
    for (const aud of ['reused', 'fresh']) {
      const { plaintext: opened } = await compactDecrypt(sealer.seal(aud, evt, plaintext), privateKey);
      if (Buffer.compare(Buffer.from(opened), plaintext) !== 0)
        throw new Error(`what ${aud} sealed does not open`);
    }
    const timings = await race([
      {
        name: CONTENDERS.bare,
        run: () => {
          bareIv.writeUInt32BE(++counter, 8);
          const cipher = createCipheriv('aes-256-gcm', bareKey, bareIv, { authTagLength: 16 });
          cipher.setAAD(aad);
          const ciphertext = cipher.update(plaintext);
          cipher.final();
          return [ciphertext, cipher.getAuthTag()];
        },
      },
      { name: CONTENDERS.claimseal, run: () => sealer.seal('reused', evt, plaintext) },
      {
        name: CONTENDERS.dir,
        run: () =>
          new CompactEncrypt(plaintext).setProtectedHeader({ alg: 'dir', ...header }).encrypt(dirCryptoKey),
      },
      { name: CONTENDERS.fresh, run: () => sealer.seal('fresh', evt, plaintext) },
      {
        name: CONTENDERS.jose,
        run: () =>
          new CompactEncrypt(plaintext)
            .setProtectedHeader({ alg: 'ECDH-ES+A256KW', ...header })
            .encrypt(publicKey),
      },
    ]);
    rows.push({ bytes, timings });
  }
  sealer.close();
  return rows;
}
