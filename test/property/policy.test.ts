/**
 * The compiled plan against an oracle that knows only the rules: no tree, no lens, plain values and pointers, one
 * place after the other.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createJsonCodec } from '../../src/codec/index.ts';
import { ClaimsealError } from '../../src/errors.ts';
import type { SourceRecord } from '../../src/event.ts';
import { type Sealer, sealRecord } from '../../src/pipeline.ts';
import { compilePolicy, explainPolicy, parseConfig } from '../../src/policy/index.ts';

// ---- random policies and events ----------------------------------------------------------------

type Scalar = string | number | boolean | null;
interface Grant {
  claims: string[][];
  to: string[];
  when?: Record<string, Scalar | Scalar[] | { has: true }>;
}
interface Policy {
  clear: string[][];
  grants: Grant[];
  unlisted: 'drop' | 'reject' | 'clear';
}

const AUDIENCES = ['red', 'green', 'blue'];
const NAMES = ['a', 'b', '*'];
const ROOTS = ['a', 'b', 'c'];

const claim = fc
  .tuple(fc.constantFrom(...ROOTS), fc.array(fc.constantFrom(...NAMES), { maxLength: 3 }))
  .map(([first, rest]) => [first, ...rest]);
const condition = fc.constantFrom<NonNullable<Grant['when']>>(
  { '/type': 'user.created' },
  { '/type': 'user.*' },
  { '/type': '*' },
  { '/type': ['x', 'user.deleted'] },
  { '/type': { has: true } },
  { '/k': 1 },
  { '/k': '1' },
  { '/k': [true, null] },
  { '/type': 'user.*', '/k': { has: true } },
  { '/k/deep': 'yes' },
  { topic: 'events' },
  { key: 'none*' },
);
const grant = fc
  .record(
    {
      claims: fc.array(claim, { minLength: 1, maxLength: 3 }),
      to: fc.subarray(AUDIENCES, { minLength: 1 }),
      when: condition,
    },
    { requiredKeys: ['claims', 'to'] },
  )
  .map((each) => each as Grant);
const policy: fc.Arbitrary<Policy> = fc.record({
  clear: fc.array(claim, { maxLength: 4 }).map((list) => [['id'], ['type'], ['k'], ...list]),
  grants: fc.array(grant, { minLength: 1, maxLength: 4 }),
  unlisted: fc.constantFrom('drop', 'reject', 'clear'),
});

const LEAF = Symbol('a value of its own');
const { tree } = fc.letrec<{ tree: unknown; object: unknown }>((tie) => ({
  object: fc.dictionary(fc.constantFrom('a', 'b', 'z'), tie('tree'), { maxKeys: 3, noNullPrototype: true }),
  tree: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'event' },
    { weight: 2, arbitrary: fc.constantFrom(LEAF, LEAF, LEAF, null, true) },
    { weight: 5, arbitrary: tie('object') },
    { weight: 2, arbitrary: fc.array(tie('tree'), { maxLength: 3 }) },
  ),
}));
const event = fc.record(
  {
    id: fc.constantFrom<unknown>('e-1', 'e-1', 'e-1', 7, 7, 1.5, null),
    type: fc.constantFrom<unknown>('user.created', 'user.deleted', 'x', 1),
    k: fc.constantFrom<unknown>(1, '1', true, null, { deep: 'yes' }),
    a: tree,
    b: tree,
    c: tree,
    z: tree,
    sealed: fc.constant('taken'),
  },
  { requiredKeys: ['id', 'a', 'b'] },
);
/** Mostly without what spoils the whole event, so that the rest is reached. */
const biased = fc.tuple(event, fc.nat(9), fc.nat(4)).map(([{ sealed, z, ...rest }, s, n]) => ({
  ...rest,
  ...(s === 0 && sealed !== undefined ? { sealed } : {}),
  ...(n === 0 && z !== undefined ? { z } : {}),
}));

/** Gives each leaf a text that stands nowhere else. */
function numbered(value: unknown, next = { n: 0 }): unknown {
  if (value === LEAF) {
    next.n += 1;
    return next.n % 5 === 0 ? 7_000_000_000_000_000 + next.n : `leaf<${next.n}>`;
  }
  if (Array.isArray(value)) return value.map((item) => numbered(item, next));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, numbered(member, next)]));
}

// ---- the oracle --------------------------------------------------------------------------------

/** A place in an event: a member's name, or undefined for an item, which only `*` names. */
type Place = readonly (string | undefined)[];

const step = (segment: string | undefined, at: string | undefined) => segment === '*' || segment === at;
const covers = (pointer: string[], place: Place) =>
  pointer.length <= place.length && pointer.every((segment, i) => step(segment, place[i]));
const leadsThrough = (pointer: string[], place: Place) =>
  pointer.length > place.length && place.every((at, i) => step(pointer[i], at));
const touches = (a: string[], b: string[]) =>
  a.every((s, i) => i >= b.length || s === b[i] || s === '*' || b[i] === '*');

class Bad extends Error {}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isEmpty = (value: object) => Object.keys(value).length === 0;

function* placesOf(value: object, place: Place): Generator<[at: string, place: Place, member: unknown]> {
  for (const [name, member] of Object.entries(value)) {
    yield [name, [...place, Array.isArray(value) ? undefined : name], member];
  }
}

function read(value: unknown, place: Place, policy: Policy, granted: string[][]): unknown {
  if (!isContainer(value) || isEmpty(value)) {
    const named = (pointers: string[][]) => pointers.some((pointer) => covers(pointer, place));
    if (named(granted)) return value;
    if (named(policy.grants.flatMap(({ claims }) => claims))) return undefined;
    return named(policy.clear) || policy.unlisted === 'clear' ? value : undefined;
  }
  const shown = [...placesOf(value, place)].map(
    ([at, below, member]) => [at, member, read(member, below, policy, granted)] as const,
  );
  if (shown.every(([, , part]) => part === undefined)) return undefined;
  if (!Array.isArray(value))
    return Object.fromEntries(shown.flatMap(([at, , p]) => (p === undefined ? [] : [[at, p]])));
  const gap = (item: unknown) => (isContainer(item) && !Array.isArray(item) ? {} : null);
  return shown.map(([, item, part]) => (part === undefined ? gap(item) : part));
}

function* faults(event: Record<string, unknown>, policy: Policy): Generator<string> {
  if (Object.hasOwn(event, 'sealed')) yield 'event.sealedMember';
  const id = event['id'];
  if (typeof id !== 'string' && !Number.isInteger(id)) yield 'event.id';
  const claims = policy.grants.flatMap((grant) => grant.claims);
  const misshapen = (value: unknown, [segment, ...rest]: string[]): boolean => {
    if (segment === undefined || value === null) return false;
    if (!isContainer(value) || (segment !== '*' && Array.isArray(value))) return true;
    return Object.entries(value).some(([at, member]) => step(segment, at) && misshapen(member, rest));
  };
  if (claims.some((pointer) => misshapen(event, pointer))) yield 'event.shape';
  const pointers = [...claims, ...policy.clear];
  const stray = (value: unknown, place: Place): boolean => {
    if (isContainer(value) && !isEmpty(value)) {
      return [...placesOf(value, place)].some(([, below, member]) => stray(member, below));
    }
    const nothing = value === null || isContainer(value);
    return !pointers.some((p) => covers(p, place) || (nothing && leadsThrough(p, place)));
  };
  if (policy.unlisted === 'reject' && stray(event, [])) yield 'event.unlisted';
}

function holds(when: Grant['when'], event: Record<string, unknown>): boolean {
  return Object.entries(when ?? {}).every(([subject, wanted]) => {
    const k = event['k'];
    const found = {
      '/type': event['type'],
      '/k': k,
      '/k/deep': isContainer(k) ? Object.values(k)[0] : undefined,
      topic: 'events',
    }[subject];
    if (found === undefined) return false;
    if (isContainer(wanted) && !Array.isArray(wanted)) return true;
    return [wanted].flat().some((w) => {
      if (typeof w === 'string' && w.endsWith('*'))
        return typeof found === 'string' && found.startsWith(w.slice(0, -1));
      return w === found;
    });
  });
}

/** The view of each audience, or what may be said against the event. */
function oracle(event: Record<string, unknown>, policy: Policy) {
  const wrong = [...faults(event, policy)];
  if (wrong.length > 0) throw Object.assign(new Bad(), { wrong });
  const matching = policy.grants.filter(({ when }) => holds(when, event));
  const viewOf = (granted: string[][]) => read(event, [], policy, granted) ?? {};
  const views = AUDIENCES.flatMap((name) => {
    const mine = matching.filter(({ to }) => to.includes(name));
    return mine.length === 0 ? [] : [[name, viewOf(mine.flatMap(({ claims }) => claims))] as const];
  });
  return { clear: viewOf([]), views: new Map(views), matched: matching.length > 0 };
}

// ---- the plan ----------------------------------------------------------------------------------

const codec = createJsonCodec({ maxBytes: 1_000_000, maxDepth: 64 });

function configOf({ clear, grants, unlisted }: Policy) {
  const keys = { file: 'keys.json' };
  return parseConfig(
    {
      version: 1,
      issuer: 'i',
      source: { topics: ['events'], format: 'json', id: ['/id'] },
      clear,
      audiences: {
        ...Object.fromEntries(AUDIENCES.map((name) => [name, { keys, topic: name }])),
        router: { keys: 'none', topic: 'router' },
      },
      grants,
      unlisted,
      unmatched: 'drop',
      record: { key: 'drop' },
    },
    'random',
  );
}

const recordOf = (event: unknown): SourceRecord => ({
  topic: 'events',
  partition: 0,
  offset: '0',
  timestamp: '0',
  key: null,
  value: Buffer.from(JSON.stringify(event)),
  headers: [],
});

/** All that leaves the process, with the plaintext of each JWE beside it. */
function run(event: unknown, config: ReturnType<typeof configOf>) {
  const plan = compilePolicy(config, { digest: 'd', hmac: () => () => '' });
  const plaintexts = new Map<string, string>();
  const sealer: Sealer = {
    use: () => {},
    seal: (aud, evt, plaintext) => {
      plaintexts.set(aud, plaintext.toString());
      expect(JSON.parse(evt)).toEqual([Object(event).id]);
      return 'jwe';
    },
  };
  const { outputs, matched, sealedFor } = sealRecord(recordOf(event), {
    codec,
    plan,
    sealer,
    setAside: new Set(),
  });
  return { plaintexts, outputs: new Map(outputs.map((o) => [o.topic, String(o.value)])), matched, sealedFor };
}

const outcomes = new Map<string, number>();
const count = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);

/** What no rule allows is no policy: `clear` must not touch a claim. */
const lawful = policy.map((p) => ({
  ...p,
  clear: p.clear.filter((c) => !p.grants.some(({ claims }) => claims.some((claim) => touches(c, claim)))),
}));

test('every audience reads what the rules say, and nothing that they do not', () => {
  fc.assert(
    fc.property(lawful, biased, (policy, raw) => {
      const event = numbered(raw) as Record<string, unknown>;
      const config = configOf(policy);
      let expected: ReturnType<typeof oracle>;
      try {
        expected = oracle(event, policy);
      } catch (bad) {
        const { wrong } = bad as { wrong: string[] };
        try {
          run(event, config);
        } catch (error) {
          const code = error instanceof ClaimsealError ? error.code : String(error);
          expect(wrong).toContain(code);
          expect(String(error)).not.toMatch(/leaf<|70000000/);
          count(code);
          return;
        }
        throw new Error(`sealed what should be quarantined: ${wrong}`);
      }
      const { plaintexts, outputs, matched, sealedFor } = run(event, config);
      expect(matched).toBe(expected.matched);
      expect(new Set(sealedFor)).toEqual(new Set(expected.views.keys()));
      expect([...outputs.keys()].sort()).toEqual([...expected.views.keys(), 'router'].sort());
      for (const [name, view] of expected.views) expect(JSON.parse(plaintexts.get(name)!)).toEqual(view);
      for (const [topic, value] of outputs) {
        const { sealed, ...clear } = JSON.parse(value);
        expect(clear).toEqual(expected.clear);
        expect(sealed).toBe(topic === 'router' ? undefined : 'jwe');
      }
      count(matched ? 'matched' : 'unmatched');
      count(`sealed for ${sealedFor.length}`);
    }),
    { numRuns: 3000 },
  );
  // The law was not proved on trivial cases alone.
  for (const what of ['matched', 'unmatched', 'sealed for 2', 'event.shape', 'event.unlisted', 'event.id']) {
    expect(outcomes.get(what) ?? 0, what).toBeGreaterThan(20);
  }
});

/** Texts of the leaves of an event with their places. */
function* leaves(value: unknown, place: Place = []): Generator<[Place, string]> {
  if (isContainer(value)) {
    for (const [, below, member] of placesOf(value, place)) yield* leaves(member, below);
  } else if (typeof value === 'string' && value.startsWith('leaf<')) yield [place, value];
  else if (typeof value === 'number' && value > 7e15) yield [place, String(value)];
}

test('a designated value stands in no output, and in the plaintext of those alone whom the matrix names', () => {
  let looked = 0;
  fc.assert(
    fc.property(lawful, biased, (policy, raw) => {
      const event = numbered(raw) as Record<string, unknown>;
      const config = configOf(policy);
      let sealed: ReturnType<typeof run>;
      try {
        sealed = run(event, config);
      } catch {
        return;
      }
      const { claims } = explainPolicy(config);
      for (const [place, text] of leaves(event)) {
        const rows = claims.filter(
          ({ pointer, designated }) => designated && covers(pointer.slice(1).split('/'), place),
        );
        if (rows.length === 0) continue;
        looked += 1;
        for (const value of sealed.outputs.values()) expect(value).not.toContain(text);
        for (const [name, plaintext] of sealed.plaintexts) {
          const reads = rows.some(({ readers }) =>
            readers
              .find(({ audience }) => audience === name)
              ?.grants.some(({ when }) => holds((when ?? undefined) as Grant['when'], event)),
          );
          expect(plaintext.includes(text)).toBe(reads);
        }
      }
    }),
    { numRuns: 3000 },
  );
  expect(looked).toBeGreaterThan(100);
});
