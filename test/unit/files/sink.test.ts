import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFileSink } from '../../../src/files/index.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'claimseal-sink-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const batch = { topic: 's', partition: 0, records: [] };
const output = (topic: string, value: string) => ({
  topic,
  partition: 0,
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp: '-1',
});

test('files have their names when all is finished, and never before', async () => {
  const out = join(dir, 'new/folder');
  const sink = await openFileSink({ directory: out, topics: ['a', 'b'] });
  await sink.deliver(batch, [[output('a', '1'), output('a', '2')]]);
  expect(readdirSync(out).filter((name) => !name.startsWith('.'))).toEqual([]);
  await sink.finish();
  await sink.close();
  expect(readdirSync(out)).toEqual(['a.ndjson', 'b.ndjson']);
  expect(readFileSync(join(out, 'a.ndjson'), 'utf8').split('\n')).toHaveLength(3);
  expect(readFileSync(join(out, 'b.ndjson'), 'utf8')).toBe('');
});

test('what is not finished leaves nothing behind', async () => {
  const sink = await openFileSink({ directory: dir, topics: ['a'] });
  await sink.deliver(batch, [[output('a', '1')]]);
  await sink.close();
  expect(readdirSync(dir)).toEqual([]);
});

test('a file that exists is not touched, and nothing is begun beside it', async () => {
  writeFileSync(join(dir, 'b.ndjson'), 'mine');
  await expect(openFileSink({ directory: dir, topics: ['a', 'b'] })).rejects.toMatchObject({
    code: 'file.unwritable',
    place: { file: join(dir, 'b.ndjson') },
    remedy: expect.stringContaining('nothing is overwritten'),
  });
  expect(readdirSync(dir)).toEqual(['b.ndjson']);
  expect(readFileSync(join(dir, 'b.ndjson'), 'utf8')).toBe('mine');
});

test('one that appears meanwhile is not touched either', async () => {
  const sink = await openFileSink({ directory: dir, topics: ['a', 'b'] });
  writeFileSync(join(dir, 'b.ndjson'), 'mine');
  await expect(sink.finish()).rejects.toMatchObject({ code: 'file.unwritable' });
  await sink.close();
  expect(readdirSync(dir)).toEqual(['b.ndjson']);
});

test('a folder that is a file', async () => {
  writeFileSync(join(dir, 'x'), '');
  await expect(openFileSink({ directory: join(dir, 'x'), topics: ['a'] })).rejects.toMatchObject({
    code: 'file.unwritable',
  });
  mkdirSync(join(dir, 'a.ndjson'));
  await expect(openFileSink({ directory: dir, topics: ['a'] })).rejects.toMatchObject({
    code: 'file.unwritable',
  });
});
