/** Lines for the readers: what they must open, and every way we know of to pass one thing off as another. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactEncrypt, type CompactJWEHeaderParameters, FlattenedEncrypt, type JWK } from 'jose';
import { generateKeySet, openStages, parsePolicy } from '../../src/index.ts';
import type { Language } from './languages.ts';

export const AUDIENCE = 'payroll';
/** What the snippets bind a JWE to. */
export const ID = ['/source', '/id'];
const ISSUER = 'https://idp.example/events';
const VIEW_TYP = 'claimseal-view+jwe';

export type Reader = Language | 'claimseal';
const READERS: readonly Reader[] = ['claimseal', 'node', 'java', 'go', 'python'];

export interface Case {
  readonly name: string;
  readonly line: string;
  /** What every reader but those of `refusedBy` prints; undefined where all of them refuse. */
  readonly view?: string;
  /** Readers that are stricter: they cannot hold a number of this size, or take no other form of a header member. */
  readonly refusedBy?: readonly Reader[];
}

// ---- keys --------------------------------------------------------------------------------------

const KTYS = { 'P-256': 'EC', X25519: 'OKP', 'RSA-2048': 'RSA', 'AES-256': 'oct' } as const;
type KeyName = keyof typeof KTYS;
const KEY_NAMES = Object.keys(KTYS) as readonly KeyName[];
const ENCS = ['A256GCM', 'A128GCM'] as const;
const ALG: Readonly<Record<KeyName, string>> = {
  'P-256': 'ECDH-ES+A256KW',
  X25519: 'ECDH-ES+A256KW',
  'RSA-2048': 'RSA-OAEP-256',
  'AES-256': 'A256KW',
};

interface Pair {
  /** What claimseal is given. */
  readonly sealing: string;
  readonly private: JWK & { readonly kid: string };
}

function generate(name: KeyName): Pair {
  const set = generateKeySet({ kty: KTYS[name], rsaBits: 2048 });
  return { sealing: set.public ?? set.private, private: JSON.parse(set.private).keys[0] };
}

const pairs = Object.fromEntries(KEY_NAMES.map((name) => [name, generate(name)])) as Record<KeyName, Pair>;
const stranger = generate('P-256');

/** The reader's keys as `keygen` writes them, and stripped of what would bind them to one `alg`. */
export const keySets: Readonly<Record<string, string>> = {
  'as keygen writes them': JSON.stringify({ keys: KEY_NAMES.map((name) => pairs[name].private) }),
  'that name no alg': JSON.stringify({ keys: KEY_NAMES.map((name) => bare(pairs[name].private)) }),
};

function bare({ use: _use, alg: _alg, ...jwk }: JWK): JWK {
  return jwk;
}

/** The key as anybody may know it who can write to the topic. */
function publicHalf(jwk: JWK): JWK {
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...rest } = bare(jwk);
  return rest;
}

// ---- sealing -----------------------------------------------------------------------------------

interface Sealing {
  readonly key: Pair;
  readonly enc?: string;
  readonly reuse?: boolean;
  readonly pad?: number;
  readonly audience?: string;
}

/** Seals whole events with the pipeline's own stages; the outputs' values. Their clear part is id, source and n. */
async function seal(events: readonly string[], options: Sealing): Promise<readonly string[]> {
  const { key, enc = 'A256GCM', reuse = true, pad = 64, audience = AUDIENCE } = options;
  const directory = mkdtempSync(join(tmpdir(), 'claimseal-interop-'));
  const file = join(directory, 'keys.json');
  writeFileSync(file, key.sealing);
  const topic = `identity.${audience}`;
  const symmetric = key.private.kty === 'oct';
  const stages = await openStages(
    parsePolicy({
      version: 1,
      issuer: ISSUER,
      source: { topics: ['identity.events'], format: 'json', id: ID },
      clear: ['/id', '/source', '/n'],
      audiences: {
        [audience]: { keys: { file }, topic, enc, pad, reuse: reuse ? 'on' : 'off', symmetric },
      },
      grants: [{ claims: ['/data'], to: [audience] }],
      unlisted: 'reject',
      unmatched: 'drop',
      record: { key: 'drop' },
    }),
  );
  try {
    return events.map((event) => {
      const value = Buffer.from(event);
      const from = { topic: 'identity.events', partition: 0, offset: '0', timestamp: '0', key: null };
      return stages.seal({ ...from, value, headers: [] })[0]!.value!.toString();
    });
  } finally {
    stages.close();
    rmSync(directory, { recursive: true });
  }
}

/** A line as `claimseal seal --out` writes it. */
const asOutput = (value: string) =>
  JSON.stringify({
    topic: 'identity.payroll',
    key: null,
    headers: { 'content-type': 'application/json' },
    value,
  });

// ---- what opens --------------------------------------------------------------------------------

const event = (id: string, data: string, n = '1') => `{"id":${id},"source":"idp","n":${n},"data":${data}}`;

/** All of each event is in clear or granted, so each is its own view, to the byte. */
const EVENTS: Readonly<Record<string, string>> = {
  plain: event('"e-1"', '{"email":"ada@corp.example","roles":["admin",null,true]}'),
  unicode: event(
    '"\u00e9\u4e2d\u{1f511}"',
    '{"n\u00e4me":"\u{1f9d1}\u200d\u{1f680} \u2028 \\u0000 \\" \\\\ \\/"}',
  ),
  'big numbers': event('"e-2"', '[12345678901234567890,0.1000000000000000055511151231257827,1E300,-0,1.0]'),
  'big clear number': event('"e-3"', '{}', '123456789012345678901234567890'),
  'integer id': event('9007199254740991', '{"a":1}'),
  'negative id': event('-5', '{"a":1}'),
  'without the granted claim': '{"id":"e-4","source":"idp","n":1}',
  long: event('"e-5"', JSON.stringify('\u20ac'.repeat(100_000))),
  'deep enough': event('"e-6"', `${'['.repeat(60)}1${']'.repeat(60)}`),
};

async function opening(): Promise<Case[]> {
  const cases: Case[] = [];
  for (const name of KEY_NAMES) {
    for (const enc of ENCS) {
      for (const reuse of [true, false]) {
        const pad = reuse ? 64 : 1;
        const values = await seal(Object.values(EVENTS), { key: pairs[name], enc, reuse, pad });
        for (const [index, [what, view]] of Object.entries(EVENTS).entries()) {
          const value = values[index]!;
          cases.push({
            name: `${what}: ${name} ${enc} reuse ${reuse} pad ${pad}`,
            line: reuse ? value : asOutput(value),
            view,
          });
        }
      }
    }
  }
  const beyond: readonly (readonly [what: string, view: string, refusedBy: readonly Reader[]])[] = [
    ['integer id beyond 53 bits', event('9007199254740993', '{}'), ['node']],
    ['integer id beyond 64 bits', event('123456789012345678901', '{}'), ['node', 'java']],
    ['a number beyond all doubles', event('"e-10"', '1E400'), ['java']],
  ];
  const values = await seal(
    beyond.map(([, view]) => view),
    { key: pairs['P-256'] },
  );
  for (const [index, [name, view, refusedBy]] of beyond.entries())
    cases.push({ name, line: values[index]!, view, refusedBy });
  return cases;
}

// ---- what must not open ------------------------------------------------------------------------

interface Clear {
  sealed: string;
  [member: string]: unknown;
}

function change(value: string, how: (clear: Clear) => void): string {
  const clear = JSON.parse(value) as Clear;
  how(clear);
  return JSON.stringify(clear);
}

function changePart(value: string, index: number, how: (part: string) => string): string {
  return change(value, (clear) => {
    clear.sealed = clear.sealed
      .split('.')
      .map((part, i) => (i === index ? how(part) : part))
      .join('.');
  });
}

const flip = (at: number) => (part: string) => {
  const index = Math.floor((part.length - 1) * at);
  return `${part.slice(0, index)}${part[index] === 'A' ? 'B' : 'A'}${part.slice(index + 1)}`;
};

/** 12 of the tag's 16 bytes: a GCM that takes any length of tag would open it. */
const truncate = (part: string) => part.slice(0, 16);

const PARTS = ['header', 'encrypted key', 'IV', 'ciphertext', 'tag'];

async function moved(): Promise<Case[]> {
  const cases: Case[] = [];
  for (const name of KEY_NAMES) {
    const key = pairs[name];
    const [value, other, numbered] = await seal(
      [event('"e-7"', '{"a":1}'), event('"e-8"', '{"a":2}'), event('7', '{"a":3}')],
      { key },
    );
    const [elsewhere] = await seal([event('"e-7"', '{"a":1}')], { key, audience: 'siem' });
    const { sealed } = JSON.parse(value!) as Clear;
    const add = (what: string, line: string) => cases.push({ name: `${what}: ${name}`, line });
    add(
      'beside the clear part of another event',
      change(other!, (clear) => Object.assign(clear, { sealed })),
    );
    add(
      'another source',
      change(value!, (clear) => Object.assign(clear, { source: 'idp2' })),
    );
    add(
      'an id of another type',
      change(numbered!, (clear) => Object.assign(clear, { id: '7' })),
    );
    add(
      'without its id',
      change(value!, (clear) => delete clear['id']),
    );
    add(
      'without its source',
      change(value!, (clear) => delete clear['source']),
    );
    add("another audience's, to the same key", elsewhere!);
    for (const [index, part] of PARTS.entries()) {
      for (const at of [0.2, 0.8]) add(`${part} changed at ${at}`, changePart(value!, index, flip(at)));
      add(
        `without ${part}`,
        changePart(value!, index, () => ''),
      );
    }
    add('tag of 12 bytes', changePart(value!, 4, truncate));
    add(
      'four parts',
      change(value!, (clear) => Object.assign(clear, { sealed: sealed.slice(0, -23) })),
    );
    add(
      'six parts',
      change(value!, (clear) => Object.assign(clear, { sealed: `${sealed}.AAAA` })),
    );
  }
  const [strange] = await seal([event('"e-7"', '{"a":1}')], { key: stranger });
  return [
    ...cases,
    { name: 'to a key that the reader does not have', line: strange! },
    { name: 'no JSON', line: 'eyJhbGciOiJub25lIn0' },
    { name: 'no JWE', line: '{"id":"e-7","source":"idp"}' },
    { name: 'a number instead of a JWE', line: '{"id":"e-7","source":"idp","sealed":7}' },
    { name: 'an empty JWE', line: '{"id":"e-7","source":"idp","sealed":""}' },
    { name: 'an unsecured JWS', line: '{"id":"e-7","source":"idp","sealed":"eyJhbGciOiJub25lIn0.e30."}' },
  ];
}

interface Members {
  readonly [name: string]: unknown;
}

/** Made by somebody who has the public key and may write to the topic; control is that the honest one opens. */
async function forged(): Promise<Case[]> {
  const view = event('"e-9"', '{"a":1}');
  const clear = { id: 'e-9', source: 'idp', n: 1 };
  const bytes = Buffer.from(view);
  const evt = ['idp', 'e-9'];
  const cases: Case[] = [];

  const add = async (what: string, name: KeyName, header: Members, openedBy: readonly Reader[] = []) => {
    const { kid } = pairs[name].private;
    const whole = { alg: ALG[name], enc: 'A256GCM', kid, typ: VIEW_TYP, aud: AUDIENCE, evt, ...header };
    const given = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
    const sealed = await new CompactEncrypt(bytes)
      .setProtectedHeader(given as Members as CompactJWEHeaderParameters)
      .encrypt(publicHalf(pairs[name].private), { crit: { 'x-known': true } });
    const line = JSON.stringify({ ...clear, sealed });
    const refusedBy = READERS.filter((reader) => !openedBy.includes(reader));
    cases.push({ name: `${what}: ${name}`, line, ...(openedBy.length > 0 ? { view, refusedBy } : {}) });
  };

  const others: Readonly<Record<KeyName, readonly string[]>> = {
    'P-256': ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW'],
    X25519: ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW'],
    'RSA-2048': ['RSA-OAEP', 'RSA-OAEP-384', 'RSA-OAEP-512'],
    'AES-256': ['A256GCMKW', 'dir'],
  };
  for (const name of KEY_NAMES) {
    await add('control', name, {}, READERS);
    for (const alg of others[name]) await add(`alg ${alg}`, name, { alg });
    for (const enc of ['A192GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'])
      await add(`enc ${enc}`, name, { enc });
    for (const typ of [undefined, 'JWT', 'claimseal-quarantine+jwe', 'claimseal-claim+jwe'])
      await add(`typ ${typ}`, name, { typ });
    for (const aud of [undefined, 'siem', 'payroll:a', ['siem'], [AUDIENCE, 'siem']])
      await add(`aud ${JSON.stringify(aud)}`, name, { aud });
    // RFC 7519 section 4.1.3 allows an array, and Nimbus makes no difference
    await add('array of this aud', name, { aud: [AUDIENCE] }, ['java']);
    for (const wrong of [undefined, '["idp","e-9"]', ['idp'], ['e-9', 'idp'], ['idp', 'e-9', 'x']])
      await add(`evt ${JSON.stringify(wrong)}`, name, { evt: wrong });
    await add('zip', name, { zip: 'DEF' });
    await add('crit', name, { crit: ['x-known'], 'x-known': true });
    // for a key set of which the keys have no kid; the snippets find keys by it
    await add('no kid', name, { kid: undefined }, ['claimseal']);
    await add('kid of another key', name, {
      kid: pairs[KEY_NAMES[(KEY_NAMES.indexOf(name) + 1) % KEY_NAMES.length]!].private.kid,
    });
    cases.push({ name: `JSON serialization: ${name}`, line: await inJson(name, clear, bytes) });
  }
  return cases;
}

/**
 * A JWE for somebody else in JSON serialization, with an honest header where a careless decoder of base64url, which
 * skips what is not in its alphabet, finds it in front of the first dot.
 */
async function inJson(name: KeyName, clear: object, plaintext: Buffer): Promise<string> {
  const { kid } = pairs[name].private;
  const header = { alg: ALG[name], enc: 'A256GCM', kid, typ: VIEW_TYP };
  const flattened = await new FlattenedEncrypt(plaintext)
    .setProtectedHeader({ ...header, aud: 'siem', evt: ['idp', 'e-1'] })
    .encrypt(publicHalf(pairs[name].private));
  const bait = JSON.stringify({ ...header, aud: AUDIENCE, evt: ['idp', 'e-9'] });
  const spaced = bait + ' '.repeat((3 - (bait.length % 3)) % 3);
  const found = `{"":"${Buffer.from(spaced).toString('base64url')}","!":".",`;
  return JSON.stringify({ ...clear, sealed: found + JSON.stringify(flattened).slice(1) });
}

/** Values for a topic, and what their reader makes of them. */
export async function sealedFor(audience: string, ids: readonly string[]) {
  const views = ids.map((id) => event(JSON.stringify(id), '{"email":"ada@corp.example"}'));
  return { views, values: await seal(views, { key: pairs['P-256'], audience }) };
}

/** All of them, in an order that a reader's answer can be compared with. */
export async function allCases(): Promise<readonly Case[]> {
  return [...(await opening()), ...(await moved()), ...(await forged())];
}
