import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceRecord } from '../../src/event.ts';
import { ALGS, ENCS } from '../../src/policy/document.ts';
import { algorithms, encryptions, generateKeySet } from '../../src/seal/index.ts';
import { type OpenStages, openStages, parsePolicy, type StageOptions } from '../../src/stages.ts';

const directory = mkdtempSync(join(tmpdir(), 'claimseal-stages-'));
const keySet = (kid: string) => generateKeySet({ kty: 'OKP', kid }).public!;
const file = join(directory, 'payroll.json');
const opened: OpenStages[] = [];
beforeAll(() => writeFileSync(file, keySet('one')));
afterAll(() => {
  for (const stages of opened) stages.close();
  rmSync(directory, { recursive: true });
});

const open = async (options: StageOptions = {}, more: object = {}) => {
  const keys = { file, refresh: '100ms', activateAfter: '1ms' };
  const stages = await openStages(
    parsePolicy({
      version: 1,
      issuer: 'https://idp.example',
      source: { topics: ['in'], format: 'json', id: ['/id'] },
      clear: ['/id', '/type'],
      audiences: { payroll: { keys, topic: 'out' } },
      grants: [{ claims: ['/email'], to: ['payroll'], when: { '/type': 'hire' } }],
      ...{ unlisted: 'drop', unmatched: 'quarantine', record: { key: 'drop' } },
      quarantine: { keys, topic: 'quarantine' },
      ...more,
    }),
    options,
  );
  opened.push(stages);
  return stages;
};
const record = (value: object): SourceRecord => ({
  ...{ topic: 'in', partition: 0, offset: '4', timestamp: '0', key: null, headers: [] },
  value: Buffer.from(JSON.stringify(value)),
});
const hire = record({ id: '1', type: 'hire', email: 'a@example.com' });

describe('seal, outside of a pipeline', () => {
  test('refuses what a pipeline would quarantine', async () => {
    const stages = await open();
    expect(stages.seal(hire)).toHaveLength(1);
    expect(() => stages.seal(record({ id: '1', type: 'fire' }))).toThrow(
      expect.objectContaining({ code: 'event.unmatched' }),
    );
    const aside = await open({ setAside: new Set(['in/0/4']) });
    expect(() => aside.seal(hire)).toThrow(expect.objectContaining({ code: 'operator.setAside' }));
  });
});

test('an observer that throws keeps no key in use that is gone from the set', async () => {
  const stages = await open({
    observe: () => {
      throw new Error('a broken observer');
    },
  });
  const kid = () => {
    const { value } = stages.seal(hire)[0]!;
    const { sealed } = JSON.parse(value!.toString()) as { sealed: string };
    return JSON.parse(Buffer.from(sealed.split('.')[0]!, 'base64url').toString()).kid as string;
  };
  expect(kid()).toBe('one');
  writeFileSync(file, keySet('two'));
  await expect.poll(kid, { timeout: 10_000 }).toBe('two');
});

test('a policy can name what the seal room can do, and nothing else', () => {
  expect([...ALGS].sort()).toEqual([...algorithms].sort());
  expect([...ENCS].sort()).toEqual([...encryptions].sort());
});
