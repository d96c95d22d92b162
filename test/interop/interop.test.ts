/** What claimseal seals opens elsewhere unchanged, and what was tampered with opens nowhere. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compactDecrypt, importJWK, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEventOpener } from '../../src/index.ts';
import { AUDIENCE, allCases, type Case, ID, keySets, type Reader } from './cases.ts';
import { type Answer, ask, installReader, type Language, missingTool } from './languages.ts';

const directory = mkdtempSync(join(tmpdir(), 'claimseal-interop-'));
const keyFiles = Object.entries(keySets).map(([name, set], index) => {
  const file = join(directory, `${index}.jwks.json`);
  writeFileSync(file, set);
  return { name, set, file };
});
afterAll(() => rmSync(directory, { recursive: true }));

let cases: readonly Case[] = [];
beforeAll(async () => {
  cases = await allCases();
});

const opens = ({ view, refusedBy }: Case, reader: Reader) =>
  view !== undefined && !refusedBy?.includes(reader);

function compare(reader: Reader, { views, refused, status }: Answer): void {
  const wanted = cases.filter((each) => opens(each, reader));
  const names = (kept: (index: number) => boolean) =>
    cases.flatMap(({ name }, index) => (kept(index) ? [name] : []));
  expect(names((index) => refused.has(index + 1))).toEqual(names((index) => !opens(cases[index]!, reader)));
  expect(views.length).toBe(wanted.length);
  for (const [index, { name, view }] of wanted.entries())
    expect(views[index] === view, `${name}: the view differs`).toBe(true);
  expect(status).toBe(1);
}

describe('the cases', () => {
  test('hold enough of both sorts, each with a name of its own', () => {
    expect(cases.filter(({ view }) => view !== undefined).length).toBeGreaterThan(140);
    expect(cases.filter(({ view }) => view === undefined).length).toBeGreaterThan(180);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  /** Else a reader could refuse them for another reason than the one that is tried. */
  test('that only an allow-list or a comparison refuses do decrypt', async () => {
    const { keys } = JSON.parse(keySets['that name no alg']!) as { keys: JWK[] };
    const refused = cases.filter(({ name }) =>
      /^(alg|enc|typ|aud|evt|zip|beside|another|another audience's,|an id) /.test(name),
    );
    expect(refused.length).toBeGreaterThan(90);
    for (const { name, line } of refused) {
      const decrypted = compactDecrypt((JSON.parse(line) as { sealed: string }).sealed, ({ kid, alg }) =>
        importJWK(keys.find((key) => key.kid === kid)!, alg),
      );
      await expect(decrypted, name).resolves.toBeDefined();
    }
  });
});

describe.each(keyFiles)('with keys $name', ({ set, file }) => {
  test('claimseal opens what it must and nothing else', () => {
    const opener = createEventOpener({ audience: AUDIENCE, id: ID, keys: Buffer.from(set) });
    const views: string[] = [];
    const refused = new Set<number>();
    for (const [index, { line }] of cases.entries()) {
      try {
        const record = JSON.parse(line) as { sealed?: unknown; value?: string };
        const value = Buffer.from('sealed' in record ? line : record.value!);
        views.push(opener.open({ value }).toString());
      } catch {
        refused.add(index + 1);
      }
    }
    compare('claimseal', { views, refused, status: 1 });
  });

  for (const language of Object.keys(installReader) as Language[]) {
    test(`${language} opens what it must and nothing else`, { timeout: 300_000 }, async ({ skip }) => {
      const missing = await missingTool(language);
      if (missing !== undefined) skip(missing);
      const program = await installReader[language]();
      const lines = cases.map(({ line }) => line);
      compare(language, await ask(program, file, AUDIENCE, lines));
    });
  }
});

describe('what the README shows', () => {
  const here = import.meta.dirname;
  const snippets = ['node', 'java', 'go', 'python'].flatMap((language) =>
    readdirSync(join(here, language))
      .filter((name) => /^(open|consume)/i.test(name))
      .map((name) => ({
        name: `${language}/${name}`,
        text: readFileSync(join(here, language, name), 'utf8'),
      })),
  );

  test('is there for each language', () => {
    for (const language of ['node', 'java', 'go', 'python'])
      expect(snippets.some(({ name }) => name.startsWith(`${language}/open`) || /Open/.test(name))).toBe(
        true,
      );
  });

  test.each(snippets)('$name is short', ({ text }) => {
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(30);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(120);
  });
});
