import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClaimsealError } from '../../../src/errors.ts';
import type { Notice } from '../../../src/event.ts';
import { type KeySource, type OpenKeys, openKeys } from '../../../src/keys/index.ts';
import type { readKeyFile } from '../../../src/keys/key-file.ts';
import { generateKeySet, parseJwks } from '../../../src/seal/index.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-24T00:00:00Z');

type Jwk = Record<string, unknown>;

function newJwk(kid: string, more: Jwk = {}): Jwk {
  const { keys } = JSON.parse(generateKeySet({ kty: 'OKP', kid }).public!) as { keys: Jwk[] };
  return { ...keys[0], ...more };
}

const setOf = (...keys: unknown[]) => JSON.stringify({ keys });

describe('openKeys', () => {
  let directory: string;
  let file: string;
  let now: number;
  let notices: Notice[];
  let keys: OpenKeys | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'claimseal-keys-'));
    file = join(directory, 'payroll.jwks.json');
    now = START;
    notices = [];
  });

  afterEach(async () => {
    keys?.close();
    keys = undefined;
    await rm(directory, { recursive: true, force: true });
  });

  const source = (more: Partial<KeySource> = {}): KeySource => ({
    aud: 'payroll',
    name: 'payroll',
    file,
    symmetric: false,
    activateAfterMs: 10 * MINUTE,
    maxStaleMs: 60 * MINUTE,
    refreshMs: 3_600_000,
    ...more,
  });

  const open = async (...sources: KeySource[]) => {
    keys = await openKeys({
      audiences: sources.length > 0 ? sources : [source()],
      parse: parseJwks,
      observe: (notice) => notices.push(notice),
      now: () => now,
      steady: () => now,
    });
    return keys;
  };

  /** The way an operator should replace a file. */
  const put = async (text: string) => {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };

  const kidOf = (opened: OpenKeys, aud = 'payroll') => opened.current().get(aud)?.kid;

  const thrownBy = (run: () => unknown): ClaimsealError => {
    try {
      run();
    } catch (error) {
      if (error instanceof ClaimsealError) return error;
    }
    throw new Error('no ClaimsealError was thrown');
  };

  const told = () =>
    notices.flatMap((n) =>
      n.type === 'key' ? [`${n.change} ${n.kid ?? '-'}`] : n.type === 'keysStale' ? ['stale'] : [],
    );

  it('gives the same snapshot while nothing changes, even when the file is written anew or reformatted', async () => {
    const jwk = newJwk('a');
    await put(setOf(jwk));
    const opened = await open();
    const first = opened.current();
    expect(first.get('payroll')?.kid).toBe('a');
    await put(setOf(jwk));
    await opened.refresh();
    expect(opened.current()).toBe(first);
    await put(JSON.stringify({ keys: [jwk] }, null, 4));
    await opened.refresh();
    now += 20 * MINUTE;
    expect(opened.current()).toBe(first);
    expect(told()).toEqual(['found a', 'chosen a']);
  });

  it('takes the first key that fits in document order, at the start without waiting', async () => {
    await put(setOf(newJwk('sig', { use: 'sig' }), newJwk('b'), newJwk('c')));
    const opened = await open();
    expect(kidOf(opened)).toBe('b');
    expect(told()).toEqual(['found b', 'found c', 'refused sig', 'chosen b']);
  });

  it('lets a newly seen key wait although it comes first, then takes it in a new snapshot', async () => {
    const old = newJwk('old');
    await put(setOf(old));
    const opened = await open();
    const before = opened.current();
    await put(setOf(newJwk('new'), old));
    now += MINUTE;
    await opened.refresh();
    now += 10 * MINUTE - 1;
    expect(opened.current()).toBe(before);
    now += 1;
    const after = opened.current();
    expect(after).not.toBe(before);
    expect(after.get('payroll')?.kid).toBe('new');
    expect(before.get('payroll')?.kid).toBe('old');
    expect(told()).toEqual(['found old', 'chosen old', 'found new', 'chosen new']);
  });

  it('does not wait for a newly seen key that is the only one', async () => {
    await put(setOf(newJwk('old')));
    const opened = await open();
    opened.current();
    await put(setOf(newJwk('new')));
    await opened.refresh();
    expect(kidOf(opened)).toBe('new');
    expect(told()).toContain('gone old');
  });

  it('does not let a key that left and came back skip its wait', async () => {
    const [a, b] = [newJwk('a'), newJwk('b')];
    await put(setOf(a, b));
    const opened = await open();
    await put(setOf(b));
    await opened.refresh();
    expect(kidOf(opened)).toBe('b');
    await put(setOf(a, b));
    await opened.refresh();
    expect(kidOf(opened)).toBe('b');
    now += 10 * MINUTE;
    expect(kidOf(opened)).toBe('a');
  });

  it('takes no key for a new one when the file was removed and written again', async () => {
    const [a, b] = [newJwk('a'), newJwk('b')];
    await put(setOf(a));
    const opened = await open();
    await put(setOf(b, a));
    await opened.refresh();
    await rm(file);
    await opened.refresh();
    expect(thrownBy(() => opened.current()).code).toBe('keys.none');
    await put(setOf(b, a));
    await opened.refresh();
    expect(kidOf(opened)).toBe('a');
    now += 10 * MINUTE;
    expect(kidOf(opened)).toBe('b');
  });

  it('counts maxStale by a clock that nobody sets back', async () => {
    await put(setOf(newJwk('a')));
    let steady = 0;
    keys = await openKeys({
      ...{ audiences: [source()], parse: parseJwks, observe: () => {}, now: () => now, steady: () => steady },
    });
    await put('no JSON');
    await keys.refresh();
    now -= 180 * MINUTE;
    steady += 60 * MINUTE + 1;
    expect(thrownBy(() => keys?.current()).code).toBe('keys.stale');
  });

  it('keeps nbf <= now < exp to the millisecond, without a reading in between', async () => {
    const seconds = START / 1000;
    await put(setOf(newJwk('ending', { exp: seconds + 60 }), newJwk('coming', { nbf: seconds + 30 })));
    const opened = await open();
    expect(kidOf(opened)).toBe('ending');
    now = START + MINUTE - 1;
    expect(kidOf(opened)).toBe('ending');
    now = START + MINUTE;
    expect(kidOf(opened)).toBe('coming');
  });

  it('does not choose a key before its nbf', async () => {
    const seconds = START / 1000;
    await put(setOf(newJwk('coming', { nbf: seconds + 30 }), newJwk('other')));
    const opened = await open();
    now = START + 30_000 - 1;
    expect(kidOf(opened)).toBe('other');
    now = START + 30_000;
    expect(kidOf(opened)).toBe('coming');
  });

  it('halts with every reason when no key fits, and goes on when one does', async () => {
    const good = newJwk('good');
    await put(setOf(good));
    const opened = await open();
    opened.current();
    const seconds = START / 1000;
    await put(
      setOf(
        newJwk('late', { nbf: seconds + 60 }),
        newJwk('dead', { exp: seconds }),
        newJwk('sig', { use: 'sig' }),
      ),
    );
    await opened.refresh();
    const error = thrownBy(() => opened.current());
    expect(error.code).toBe('keys.none');
    expect(error.disposition).toBe('halt');
    expect(error.place).toEqual({ audience: 'payroll', file });
    expect(error.message).toContain('payroll');
    expect(error.message).toContain(file);
    expect(error.message).toMatch(/"late": valid only from 2026-11-24T00:01:00/);
    expect(error.message).toMatch(/"dead": expired at 2026-11-24T00:00:00/);
    expect(error.message).toMatch(/kid "sig".*use is "sig"/);
    expect(error.remedy).toContain(file);
    await put(setOf(good));
    await opened.refresh();
    expect(kidOf(opened)).toBe('good');
  });

  it('obeys an empty set', async () => {
    await put(setOf(newJwk('a')));
    const opened = await open();
    await put(setOf());
    await opened.refresh();
    expect(thrownBy(() => opened.current()).message).toContain('the set is empty');
  });

  it('halts when the file is gone, and takes it again when it is back with the same bytes', async () => {
    const text = setOf(newJwk('a'));
    await put(text);
    const opened = await open();
    opened.current();
    await rm(file);
    await opened.refresh();
    const error = thrownBy(() => opened.current());
    expect(error.code).toBe('keys.none');
    expect(error.message).toContain('the file is gone');
    await put(text);
    await opened.refresh();
    expect(kidOf(opened)).toBe('a');
    expect(told()).toEqual(['found a', 'chosen a', 'gone a', 'found a', 'chosen a']);
  });

  it.each([
    ['half a JSON text', '{"keys":[{"kty"'],
    ['an empty file', ''],
    ['JSON without keys', '{"jwks":[]}'],
  ])('keeps the last good set over %s until maxStale, then halts, then recovers', async (_, broken) => {
    const text = setOf(newJwk('a'));
    await put(text);
    const opened = await open();
    const before = opened.current();
    await put(broken);
    now += MINUTE;
    await opened.refresh();
    expect(opened.current()).toBe(before);
    expect(notices.at(-1)).toMatchObject({ type: 'keysStale', audience: 'payroll', sinceMs: MINUTE });
    now = START + 60 * MINUTE;
    expect(opened.current()).toBe(before);
    now += 1;
    const error = thrownBy(() => opened.current());
    expect(error.code).toBe('keys.stale');
    expect(error.place).toEqual({ audience: 'payroll', file });
    await put(text);
    await opened.refresh();
    expect(opened.current()).toBe(before);
    expect(told().at(-1)).toBe('found a');
  });

  it('lets a set go stale whose file system does not answer, and asks it once', async () => {
    const reading = { state: 'read', bytes: Buffer.from(setOf(newJwk('a'))) } as const;
    let answer = Promise.resolve<Awaited<ReturnType<typeof readKeyFile>>>(reading);
    let asked = 0;
    const read = () => {
      asked += 1;
      return answer;
    };
    keys = await openKeys({
      ...{ audiences: [source()], parse: parseJwks, observe: (notice: Notice) => notices.push(notice) },
      ...{ now: () => now, steady: () => now, read, answerMs: 5 },
    });
    const before = keys.current();
    let recover = (_: typeof reading) => {};
    answer = new Promise((resolve) => {
      recover = resolve;
    });
    now += MINUTE;
    await keys.refresh();
    expect(notices.at(-1)).toMatchObject({ type: 'keysStale', sinceMs: MINUTE, reason: 'no answer in 5 ms' });
    expect(keys.current()).toBe(before);
    now += 60 * MINUTE;
    await keys.refresh();
    expect(thrownBy(() => keys?.current()).code).toBe('keys.stale');
    expect(asked).toBe(2);
    recover(reading);
    await keys.refresh();
    expect(keys.current()).toBe(before);
  });

  it('keeps the last good set when the path turns into a directory', async () => {
    await put(setOf(newJwk('a')));
    const opened = await open();
    const before = opened.current();
    await rm(file);
    await mkdir(file);
    await opened.refresh();
    expect(opened.current()).toBe(before);
    expect(told()).toContain('stale');
  });

  it.skipIf(process.getuid?.() === 0)('keeps the last good set when reading is forbidden', async () => {
    await put(setOf(newJwk('a')));
    const opened = await open();
    const before = opened.current();
    await chmod(file, 0);
    await opened.refresh();
    expect(opened.current()).toBe(before);
  });

  it.each([
    ['a missing file', undefined, 'does not exist'],
    ['what is not JSON', 'keys', 'not JSON'],
    ['JSON without keys', '[]', 'without it'],
  ])('halts at the start on %s', async (_, text, found) => {
    if (text !== undefined) await put(text);
    const error = await open().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ClaimsealError);
    expect(error).toMatchObject({ code: 'keys.unreadable', place: { audience: 'payroll', file } });
    expect(String(error)).toContain(found);
  });

  it('names all audiences without a key at once, and does not mix their files', async () => {
    const other = join(directory, 'siem.jwks.json');
    await put(setOf());
    await writeFile(other, setOf());
    const opened = await open(source(), source({ aud: 'siem', name: 'siem', file: other }));
    const error = thrownBy(() => opened.current());
    expect(error.message).toContain('audience payroll');
    expect(error.message).toContain(other);
    await put(setOf(newJwk('p')));
    await writeFile(other, setOf(newJwk('s')));
    await opened.refresh();
    expect([kidOf(opened), kidOf(opened, 'siem')]).toEqual(['p', 's']);
  });

  it('follows a symbolic link that is swapped, as Kubernetes swaps secrets, by itself', async () => {
    for (const [version, kid] of [
      ['v1', 'a'],
      ['v2', 'b'],
    ] as const) {
      await mkdir(join(directory, version));
      await writeFile(join(directory, version, 'jwks.json'), setOf(newJwk(kid)));
    }
    await symlink('v1', join(directory, '..data'));
    await symlink(join('..data', 'jwks.json'), file);
    const opened = await open(source({ refreshMs: 5 }));
    expect(kidOf(opened)).toBe('a');
    await symlink('v2', join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    await vi.waitFor(() => expect(kidOf(opened)).toBe('b'));
  });

  it('stops reading once closed', async () => {
    await put(setOf(newJwk('a')));
    const opened = await open();
    const before = opened.current();
    opened.close();
    await put(setOf(newJwk('b')));
    await opened.refresh();
    expect(opened.current()).toBe(before);
  });

  it('closes when its signal aborts', async () => {
    await put(setOf(newJwk('a')));
    const controller = new AbortController();
    const opened = await openKeys({
      audiences: [source()],
      parse: parseJwks,
      observe: () => {},
      now: () => now,
      steady: () => now,
      signal: controller.signal,
    });
    const before = opened.current();
    controller.abort();
    await put(setOf(newJwk('b')));
    await opened.refresh();
    expect(opened.current()).toBe(before);
  });

  it('parses only when bytes changed', async () => {
    await put(setOf(newJwk('a')));
    const parse = vi.fn(parseJwks);
    keys = await openKeys({ audiences: [source()], parse, observe: () => {}, now: () => now });
    await keys.refresh();
    await keys.refresh();
    expect(parse).toHaveBeenCalledTimes(1);
    await put(setOf(newJwk('b')));
    await keys.refresh();
    expect(parse).toHaveBeenCalledTimes(2);
  });
});
