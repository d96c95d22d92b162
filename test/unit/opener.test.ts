import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base64url, CompactEncrypt, compactDecrypt, importJWK, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output, SourceRecord } from '../../src/event.ts';
import { createEventOpener, type SealedRecord } from '../../src/opener.ts';
import { generateKeySet } from '../../src/seal/index.ts';
import { type OpenStages, openStages, parsePolicy } from '../../src/stages.ts';

const ISSUER = 'https://idp.example/events';
const directory = mkdtempSync(join(tmpdir(), 'claimseal-opener-'));
const sets = {
  payroll: generateKeySet({ kty: 'EC', kid: 'payroll-1' }),
  siem: generateKeySet({ kty: 'OKP', kid: 'siem-1' }),
};
const files = { payroll: join(directory, 'payroll.json'), siem: join(directory, 'siem.json') };

const document = (id: readonly string[] | 'coordinates') => ({
  version: 1,
  issuer: ISSUER,
  source: { topics: ['identity.events'], format: 'json', id },
  clear: ['/id', '/source', '/items/*/n', '/time'],
  audiences: {
    payroll: { keys: { file: files.payroll }, topic: 'identity.payroll' },
    siem: { keys: { file: files.siem }, topic: 'identity.siem' },
  },
  grants: [
    { claims: ['/data/email', '/items/*/secret', '/secrets'], to: ['payroll'] },
    { claims: ['/data/roles'], to: ['siem'] },
  ],
  unlisted: 'drop',
  unmatched: 'drop',
  record: { key: 'drop' },
});

const opened: OpenStages[] = [];
const stagesFor = async (id: readonly string[] | 'coordinates') => {
  const stages = await openStages(parsePolicy(document(id)));
  opened.push(stages);
  return stages;
};

let stages: OpenStages;
beforeAll(async () => {
  for (const name of ['payroll', 'siem'] as const) writeFileSync(files[name], sets[name].public!);
  stages = await stagesFor(['/source', '/id']);
});
afterAll(() => {
  for (const each of opened) each.close();
  rmSync(directory, { recursive: true });
});

const event = (id: string) => ({
  id,
  source: 'idp',
  time: 1.5,
  items: [{ n: 1, secret: 's1' }, { secret: 's2' }, null, { n: 3 }],
  data: { email: `${id}@example.com`, roles: ['admin'] },
});
const record = (value: unknown, offset = '0'): SourceRecord => ({
  topic: 'identity.events',
  partition: 3,
  offset,
  timestamp: '1',
  key: null,
  value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  headers: [],
});
const seal = (value: unknown, to: OpenStages = stages, offset = '0'): Record<string, Output> =>
  Object.fromEntries(to.seal(record(value, offset)).map((o) => [o.topic.slice(9), o]));
const asRecord = ({ value, headers, key }: Output): SealedRecord => ({ value: value!, headers, key });
const parse = (bytes: Buffer) => JSON.parse(bytes.toString());
interface Clear {
  id?: unknown;
  sealed: string;
  items: object[];
}
const changed = (output: Output, change: (value: Clear) => void): SealedRecord => {
  const value = parse(output.value!);
  change(value);
  return { value: Buffer.from(JSON.stringify(value)), headers: output.headers };
};

const opener = (audience: 'payroll' | 'siem', more: object = {}) =>
  createEventOpener({ audience, id: ['/source', '/id'], keys: Buffer.from(sets[audience].private), ...more });
const refusal = { code: 'open.failed', message: 'the JWE does not open' };

describe('an event that was sealed', () => {
  test('opens to each audience as its view, and jose reads the same plaintext', async () => {
    const outputs = seal(event('1'));
    const views = {
      payroll: {
        id: '1',
        source: 'idp',
        time: 1.5,
        items: [{ n: 1, secret: 's1' }, { secret: 's2' }, null, { n: 3 }],
        data: { email: '1@example.com' },
      },
      siem: {
        id: '1',
        source: 'idp',
        time: 1.5,
        items: [{ n: 1 }, {}, null, { n: 3 }],
        data: { roles: ['admin'] },
      },
    };
    for (const name of ['payroll', 'siem'] as const) {
      const bytes = opener(name).open(asRecord(outputs[name]!));
      const jwk = JSON.parse(sets[name].private).keys[0] as JWK;
      const { plaintext, protectedHeader } = await compactDecrypt(
        parse(outputs[name]!.value!).sealed,
        await importJWK(jwk),
      );
      expect(new TextDecoder().decode(plaintext).trimEnd()).toBe(bytes.toString());
      expect(protectedHeader).toMatchObject({ aud: name, evt: ['idp', '1'], iss: ISSUER });
      expect(parse(bytes)).toEqual(views[name]);
    }
  });

  test('numbers keep their spelling', () => {
    const outputs = seal('{"id":"1","source":"idp","time":12345678901234567890.10,"data":{"roles":[1e2]}}');
    const view = opener('siem').open(asRecord(outputs['siem']!)).toString();
    expect(view).toContain('12345678901234567890.10');
    expect(view).toContain('1e2');
  });

  test.each([
    ['string to string', '"a\\u0062"'],
    ['big integer', '123456789012345678901234567890'],
  ])('opens whatever the id is made of: %s', (_, id) => {
    const outputs = seal(`{"id":${id},"source":"idp","data":{"roles":[]}}`);
    expect(() => opener('siem').open(asRecord(outputs['siem']!))).not.toThrow();
  });
});

describe('what is refused, all alike', () => {
  test('another audience, by its own key and by a stolen record', () => {
    const { payroll } = seal(event('1'));
    expect(() => opener('siem').open(asRecord(payroll!))).toThrow(expect.objectContaining(refusal));
    const mislabelled = createEventOpener({
      audience: 'siem',
      id: ['/source', '/id'],
      keys: Buffer.from(sets.payroll.private),
    });
    expect(() => mislabelled.open(asRecord(payroll!))).toThrow(expect.objectContaining(refusal));
  });

  test('a JWE beside the clear part of another event', () => {
    const one = seal(event('1'))['payroll']!;
    const two = seal(event('2'))['payroll']!;
    const moved = changed(two, (value) => {
      value.sealed = parse(one.value!).sealed;
    });
    expect(() => opener('payroll').open(moved)).toThrow(expect.objectContaining(refusal));
  });

  test.each<[string, (clear: Clear) => void]>([
    ['a value was changed', (v) => Object.assign(v, { time: 1.6 })],
    ['a type was changed', (v) => Object.assign(v, { time: '1.5' })],
    ['a member was put in', (v) => Object.assign(v, { role: 'admin' })],
    ['a claim was put in', (v) => Object.assign(v, { data: { email: 'mallory@example.com' } })],
    ['an item was changed', (v) => Object.assign(v.items[0]!, { n: 2 })],
    ['a gap was filled', (v) => Object.assign(v.items[1]!, { n: 2 })],
    ['an array was made longer', (v) => v.items.push({})],
    ['an array was made shorter', (v) => v.items.pop()],
    ['the id was changed', (v) => Object.assign(v, { id: '2' })],
    ['the id was taken out', (v) => delete v.id],
    ['the id got another type', (v) => Object.assign(v, { id: 1 })],
  ])('a clear part in which %s', (_, change) => {
    const { payroll } = seal(event('1'));
    expect(() => opener('payroll').open(changed(payroll!, () => {}))).not.toThrow();
    expect(() => opener('payroll').open(changed(payroll!, change))).toThrow(expect.objectContaining(refusal));
  });

  test.each<[string, (clear: Clear) => void]>([
    ['a claim', (v) => Object.assign(v, { data: { email: '1@example.com' } })],
    ['a claim of an item', (v) => Object.assign(v.items[0]!, { secret: 's1' })],
    ['that there is an object', (v) => Object.assign(v, { data: {} })],
    ['the length of an array', (v) => Object.assign(v, { secrets: [null, null] })],
    ['that items are objects', (v) => Object.assign(v, { secrets: [{}, {}] })],
  ])('with `clear`, a right guess of %s beside the JWE', (_, guess) => {
    const { payroll } = seal({ ...event('1'), secrets: [{ s: 1 }, { s: 2 }] });
    const clear = [...document('coordinates').clear, '/secrets/*/n'];
    const guessed = changed(payroll!, guess);
    expect(() => opener('payroll').open(guessed)).not.toThrow();
    expect(() => opener('payroll', { clear }).open(guessed)).toThrow(expect.objectContaining(refusal));
    expect(parse(opener('payroll', { clear }).open(asRecord(payroll!)))).toMatchObject({ id: '1' });
    const all = [...clear, '/data', '/items/*', '/secrets'];
    for (const open of [all, ['']]) {
      expect(() => opener('payroll', { clear: open }).open(guessed)).not.toThrow();
    }
  });

  test.each([0, 1, 2, 3, 4])('a flipped character in part %i of the JWE', (part) => {
    const { payroll } = seal(event('1'));
    const flipped = changed(payroll!, (value) => {
      const parts = value.sealed.split('.');
      const middle = Math.floor(parts[part]!.length / 2);
      const other = parts[part]![middle] === 'A' ? 'B' : 'A';
      parts[part] = parts[part]!.slice(0, middle) + other + parts[part]!.slice(middle + 1);
      value.sealed = parts.join('.');
    });
    expect(() => opener('payroll').open(flipped)).toThrow(expect.objectContaining(refusal));
  });

  test('an alg or enc that is not allowed, an issuer that is another', () => {
    const { payroll } = seal(event('1'));
    for (const more of [
      { algs: ['RSA-OAEP-256'] },
      { encs: ['A128GCM'] },
      { issuer: 'https://other.example' },
    ]) {
      expect(() => opener('payroll', more).open(asRecord(payroll!)), JSON.stringify(more)).toThrow(
        expect.objectContaining(refusal),
      );
    }
    expect(() => opener('payroll', { issuer: ISSUER }).open(asRecord(payroll!))).not.toThrow();
  });

  test('a header that says aud or evt twice, sealed by somebody with the public key', async () => {
    const jwk = JSON.parse(sets.payroll.public!).keys[0] as JWK;
    const good = { alg: 'ECDH-ES+A256KW', enc: 'A256GCM', typ: 'claimseal-view+jwe', aud: 'payroll' };
    const view = { id: '1', source: 'idp' };
    const forged = async (header: object) => ({
      value: Buffer.from(
        JSON.stringify({
          ...view,
          sealed: await new CompactEncrypt(Buffer.from(JSON.stringify(view)))
            .setProtectedHeader(header as never)
            .encrypt(await importJWK(jwk)),
        }),
      ),
    });
    const open = opener('payroll').open;
    // The control: anyone can encrypt to a public key, and only that is why this opens.
    expect(parse(open(await forged({ ...good, evt: ['idp', '1'] })))).toEqual(view);
    for (const bad of [
      { ...good, evt: ['idp', 1] },
      { ...good, evt: ['idp'] },
      { ...good, evt: '["idp","1"]' },
      good,
      { ...good, evt: ['idp', '1'], typ: 'claimseal-quarantine+jwe' },
      { ...good, evt: ['idp', '1'], aud: ['payroll'] },
      { ...good, evt: ['idp', '1'], aud: 'payroll:a' },
    ]) {
      const record = await forged(bad);
      expect(() => open(record), JSON.stringify(bad)).toThrow(expect.objectContaining(refusal));
    }
    const { sealed, ...clear } = parse((await forged({ ...good, evt: ['idp', '1'] })).value);
    const [head, ...rest] = String(sealed).split('.');
    const text = new TextDecoder().decode(base64url.decode(head!));
    const twice = base64url.encode(text.replace('{', '{"evt":["idp","1"],'));
    const value = Buffer.from(JSON.stringify({ ...clear, sealed: [twice, ...rest].join('.') }));
    expect(() => open({ value })).toThrow(expect.objectContaining(refusal));
  });
});

describe('what is no sealed event', () => {
  test('has a code of its own', () => {
    const open = opener('payroll').open;
    const value = (text: string) => ({ value: Buffer.from(text) });
    expect(() => open(value('{"id":"1"}'))).toThrow(expect.objectContaining({ code: 'open.notSealed' }));
    expect(() => open(value('{"id":"1","sealed":7}'))).toThrow(
      expect.objectContaining({ code: 'open.notSealed' }),
    );
    expect(() => open(value('{"id":"1","sealed":"x"}'))).toThrow(expect.objectContaining(refusal));
    expect(() => open(value('{"a":1,"a":1}'))).toThrow(
      expect.objectContaining({ code: 'event.duplicateMember' }),
    );
    expect(() => open(value('nonsense'))).toThrow(expect.objectContaining({ code: 'event.notJson' }));
  });

  test('a set without a key that can open is refused at once, with reasons', () => {
    const keys = Buffer.from(sets.payroll.public!);
    expect(() => createEventOpener({ audience: 'payroll', id: ['/id'], keys })).toThrow(
      expect.objectContaining({ code: 'keys.none', message: expect.stringContaining('key 0') }),
    );
  });

  test('an id that is none is a mistake of the caller', () => {
    expect(() => opener('payroll', { id: ['id'] })).toThrow(
      expect.objectContaining({ code: 'config.invalid' }),
    );
  });
});

describe('bound to coordinates', () => {
  test('opens where it was produced from, by header or as given, and nowhere else', async () => {
    const bound = await stagesFor('coordinates');
    const output = seal(event('1'), bound, '41')['payroll']!;
    const { open } = opener('payroll', { id: 'coordinates' });
    expect(() => open(asRecord(output))).not.toThrow();
    const source = { topic: 'identity.events', partition: 3, offset: '41' };
    expect(() => open({ value: output.value!, source })).not.toThrow();
    for (const record of [
      { value: output.value! },
      { value: output.value!, source: { ...source, offset: '42' } },
      { value: output.value!, source: { ...source, topic: 'other' } },
      { value: output.value!, headers: [['claimseal-source', Buffer.from('identity.events/3')]] as const },
    ]) {
      expect(() => open(record)).toThrow(expect.objectContaining(refusal));
    }
  });
});
