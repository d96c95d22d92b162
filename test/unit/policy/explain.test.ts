import { describe, expect, test } from 'vitest';
import {
  configJsonSchema,
  configReference,
  explainPolicy,
  policyWarnings,
} from '../../../src/policy/index.ts';
import { configOf, type Document } from './support.ts';

describe('explain', () => {
  const grants = [
    { claims: ['/data'], to: ['siem'], when: { '/type': ['a', 'b*'], key: { has: true } } },
    { claims: ['/data/email', ['data', 'x/y']], to: ['payroll'] },
  ];
  const { audiences, claims } = explainPolicy(configOf({ grants }));
  const readers = (pointer: string) =>
    Object.fromEntries(claims.find((row) => row.pointer === pointer)!.readers.map((r) => [r.audience, r]));

  test('a row for each pointer, clear ones first', () =>
    expect(claims.map(({ pointer, designated }) => [pointer, designated])).toEqual([
      ['/id', false],
      ['/type', false],
      ['/data', true],
      ['/data/email', true],
      ['/data/x~1y', true],
    ]));
  test('a wider grant reads a narrower claim, and not the other way round', () => {
    const when = { '/type': ['a', 'b*'], key: { has: true } };
    expect(readers('/data/email')).toEqual({
      payroll: { audience: 'payroll', how: 'sealed', grants: [{ index: 1, when: null }] },
      siem: { audience: 'siem', how: 'sealed', grants: [{ index: 0, when }] },
    });
    expect(Object.keys(readers('/data'))).toEqual(['siem']);
  });
  test('everybody reads what is in clear', () =>
    expect(Object.values(readers('/id'))).toEqual(
      ['payroll', 'siem', 'router'].map((audience) => ({ audience, how: 'clear', grants: [] })),
    ));
  test('a pointer that is written twice is one row, with every grant that gives it', () => {
    const twice = explainPolicy(
      configOf({
        clear: ['/id', ['id']],
        grants: [
          { claims: ['/a/*'], to: ['siem'] },
          { claims: ['/a/b', ['a', 'b']], to: ['siem', 'payroll'], when: { '/id': 'x' } },
        ],
      }),
    ).claims;
    expect(twice.map(({ pointer }) => pointer)).toEqual(['/id', '/a/*', '/a/b']);
    expect(twice[2]!.readers.map(({ audience, grants }) => [audience, grants.map((g) => g.index)])).toEqual([
      ['payroll', [1]],
      ['siem', [0, 1]],
    ]);
  });
  test('audiences with what the policy says of their keys', () =>
    expect(audiences).toMatchObject([
      { name: 'payroll', topic: 'payroll', keys: 'sealed', alg: null, enc: 'A256GCM', symmetric: false },
      { name: 'siem' },
      { name: 'router', keys: 'none', alg: null, enc: null, symmetric: false },
    ]));
});

describe('warnings', () => {
  const kafka = { brokers: ['localhost:9092'], groupId: 'g' };
  const paths = (changes: Document) =>
    policyWarnings(configOf({ kafka, ...changes })).map(({ path }) => path);
  const quarantine = { keys: { file: 'q.json' }, topic: 'q' };
  const payroll = { keys: { file: 'k.json' }, topic: 'payroll' };
  const one = (more: object) => ({
    quarantine,
    audiences: { payroll: { ...payroll, ...more } },
    grants: [{ claims: ['/x'], to: ['payroll'] }],
  });
  test('that outputs are not signed is said of every policy', () =>
    expect(paths({ quarantine })).toEqual(['audiences']));
  test.each([
    ['quarantine', {}],
    ['kafka', { kafka: undefined }],
    ['unlisted', { quarantine, unlisted: 'clear' }],
    ['record.key', { quarantine, record: { key: 'pass' } }],
    ['audiences.payroll.pad', one({ pad: 1 })],
    ['audiences.payroll.symmetric', one({ alg: 'A256KW', symmetric: true })],
    ['audiences.siem', { quarantine, grants: [{ claims: ['/x'], to: ['payroll'] }] }],
    ['grants', { quarantine, audiences: { r: { keys: 'none', topic: 'r' } }, grants: [] }],
    [
      'kafka.allowPlaintext',
      { quarantine, kafka: { brokers: ['b.example:1'], groupId: 'g', allowPlaintext: true } },
    ],
  ])('%s', (path, changes) => expect(paths(changes)).toContain(path));
  test('of two grants that say the same the later is idle; one with a condition under one without is', () => {
    const to = ['payroll', 'siem'];
    const grants = [
      { claims: ['/a/b'], to, when: { '/type': 'x' } },
      { claims: ['/a'], to },
      { claims: ['/a'], to },
      { claims: ['/a', '/c'], to },
    ];
    expect(paths({ quarantine, grants }).filter((p) => p.startsWith('grants'))).toEqual([
      'grants[0]',
      'grants[1]',
      'grants[2]',
    ]);
    expect(paths({ quarantine, grants: grants.slice(1, 3) })).toEqual(['grants[1]', 'audiences']);
  });
  test('a grant is idle where others together give the same, and is not where they ask more', () => {
    const grants = (when: object, otherwise: object) => [
      { claims: ['/a'], to: ['payroll', 'siem'], when: otherwise },
      { claims: ['/b'], to: ['siem'] },
      { claims: ['/a/x', '/b'], to: ['siem'], when },
    ];
    const idle = (when: object, otherwise: object) =>
      policyWarnings(configOf({ quarantine, grants: grants(when, otherwise) })).filter(
        ({ path }) => path === 'grants[2]',
      );
    expect(idle({ '/id': 'x', '/type': 't' }, { '/type': 't' })).toEqual([
      { path: 'grants[2]', message: 'adds nothing to grants[0] and grants[1]' },
    ]);
    expect(idle({ '/type': 't' }, { '/id': 'x', '/type': 't' })).toEqual([]);
    expect(idle({ '/type': 't' }, { '/type': 'u' })).toEqual([]);
  });
  test('what is open-ended in clear, and what is there twice', () => {
    const clear = (...more: string[]) =>
      paths({ quarantine, clear: ['/id', ...more], grants: [{ claims: ['/x'], to: ['payroll', 'siem'] }] });
    expect(clear('/type', '/time')).toEqual(['audiences']);
    expect(clear('/meta/*')).toEqual(['clear[1]', 'audiences']);
    expect(clear('/meta', '/meta/a', '/id')).toEqual(['clear[2]', 'clear[3]', 'audiences']);
    const all = { clear: ['/id', ''], audiences: { r: { keys: 'none', topic: 'r' } }, grants: [] };
    expect(paths({ quarantine, ...all })).toEqual(['clear[0]', 'clear[1]', 'grants']);
  });
});

describe('the declaration as schema and reference', () => {
  const schema = configJsonSchema() as { properties: Record<string, unknown>; additionalProperties: boolean };
  test('variables pass where patterns are checked', () => {
    const { pattern } = (
      schema.properties['source'] as { properties: { topics: { items: { pattern: string } } } }
    ).properties.topics.items;
    for (const good of ['a.b-c', 'identity${RUN}', '${TOPIC}']) expect(good).toMatch(new RegExp(pattern));
    for (const bad of ['a b', '', '..', '$RUN']) expect(bad).not.toMatch(new RegExp(pattern));
  });
  test('unknown members are refused and every member is described', () => {
    expect(schema.additionalProperties).toBe(false);
    for (const line of configReference().split('\n').slice(2, -1))
      expect(line).toMatch(/^\| `[^`]+` \| .+ \| .* \| .+ \|$/);
    for (const name of Object.keys(schema.properties)) expect(configReference()).toContain(`\n| \`${name}\``);
  });
});
