/** The import rules of the rooms (src/README.md): who may know whom. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');
const ROOMS = ['codec', 'policy', 'seal', 'keys', 'kafka', 'files', 'ops', 'cli'];
const PURE = ['codec', 'policy'];
/** I/O that a pure room must not import. */
const IO =
  /^node:(fs|net|http|https|http2|tls|dgram|dns|child_process|worker_threads|process|timers|os|cluster|perf_hooks|readline|crypto)/;

interface Import {
  readonly from: string;
  /** A path below src, or a package. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found = [...text.matchAll(/(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/g)];
  const dynamic = [...text.matchAll(/\b(?:import|require(?:\.resolve)?)\(\s*'([^']+)'/g)].map(
    (m) => [m[0], 'import', undefined, m[1]] as const,
  );
  return [...found, ...dynamic].map((m) => ({
    from: file,
    to: m[3]!.startsWith('.') ? relative(SRC, resolve(SRC, dirname(file), m[3]!)) : m[3]!,
    typeOnly: m[2] !== undefined,
  }));
});

const room = (path: string) => (path.includes('/') ? path.split('/')[0]! : '');
const inside = (i: Import) => i.to.endsWith('.ts');
const say = (list: readonly Import[]) => list.map((i) => `${i.from} -> ${i.to}`);

const sources = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file: join(folder, file), text: readFileSync(join(folder, file), 'utf8') }));
const namesOf = (list: string) =>
  list
    .split(',')
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== '');

describe('rooms', () => {
  test('the test sees the code', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(imports.length).toBeGreaterThan(100);
    expect(files.map(room).filter((r) => r !== '' && !ROOMS.includes(r))).toEqual([]);
  });

  test('every room has a door, and others come in by it', () => {
    for (const name of ROOMS.filter((r) => r !== 'cli' && r !== 'ops'))
      expect(files).toContain(`${name}/index.ts`);
    const aside = imports.filter(
      (i) => inside(i) && room(i.to) !== '' && room(i.to) !== room(i.from) && !i.to.endsWith('/index.ts'),
    );
    expect(say(aside)).toEqual([]);
  });

  test('what a door hands out has a taker', () => {
    const taken = [...sources(SRC), ...sources(import.meta.dirname)];
    for (const name of ROOMS.filter((r) => r !== 'cli')) {
      const door = readFileSync(join(SRC, name, 'index.ts'), 'utf8');
      const names = [...door.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap((m) => namesOf(m[1]!));
      const used = taken
        .filter(({ file }) => !file.startsWith(join(SRC, name)))
        .flatMap(({ text }) => [...text.matchAll(/(?:import|export) (?:type )?\{([^}]*)\} from '([^']+)'/g)])
        .filter((m) => m[2]!.includes(`${name}/`))
        .flatMap((m) => namesOf(m[1]!));
      expect(
        names.filter((n) => !used.includes(n)),
        name,
      ).toEqual([]);
    }
  });

  test('no import cycle, type-only imports included', () => {
    const graph = new Map<string, string[]>();
    for (const i of imports.filter(inside)) graph.set(i.from, [...(graph.get(i.from) ?? []), i.to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
        return;
      }
      if (done.has(file)) return;
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test('rooms form no cycle either', () => {
    const graph = new Map<string, Set<string>>();
    for (const i of imports.filter(inside)) {
      const [a, b] = [room(i.from), room(i.to)];
      if (a !== '' && b !== '' && a !== b) graph.set(a, (graph.get(a) ?? new Set()).add(b));
    }
    const reaches = (from: string, to: string, seen: Set<string>): boolean =>
      [...(graph.get(from) ?? [])].some((n) => n === to || (!seen.has(n) && reaches(n, to, seen.add(n))));
    expect(ROOMS.filter((r) => reaches(r, r, new Set()))).toEqual([]);
  });

  test('codec, policy and seal meet only in the shared types', () => {
    const met = imports.filter(
      (i) =>
        [...PURE, 'seal'].includes(room(i.from)) &&
        inside(i) &&
        room(i.to) !== room(i.from) &&
        !['event.ts', 'errors.ts'].includes(i.to) &&
        !(i.to === 'pipeline.ts' && i.typeOnly),
    );
    expect(say(met)).toEqual([]);
  });

  test('pure rooms do no I/O', () => {
    expect(say(imports.filter((i) => PURE.includes(room(i.from)) && IO.test(i.to)))).toEqual([]);
    for (const file of files.filter((f) => PURE.includes(room(f)))) {
      const text = readFileSync(join(SRC, file), 'utf8');
      expect(text, file).not.toMatch(/\b(Date\.now|new Date\(\)|process\.|Math\.random|setTimeout|fetch\()/);
    }
  });

  test('only seal imports node:crypto and jose, only kafka imports kafkajs', () => {
    const owns = (pattern: RegExp, owner: string) =>
      say(imports.filter((i) => pattern.test(i.to) && room(i.from) !== owner));
    expect(owns(/^(node:)?crypto$|^jose(\/|$)/, 'seal')).toEqual([]);
    expect(owns(/^kafkajs/, 'kafka')).toEqual([]);
  });

  test('shell rooms do not import each other, except that cli composes them', () => {
    const shells = ['keys', 'kafka', 'files'];
    const met = imports.filter(
      (i) =>
        shells.includes(room(i.from)) &&
        inside(i) &&
        !i.typeOnly &&
        room(i.to) !== '' &&
        room(i.to) !== room(i.from),
    );
    expect(say(met)).toEqual([]);
  });

  test('nothing is exported wholesale and nothing is imported for its side effect', () => {
    for (const file of files) {
      const text = readFileSync(join(SRC, file), 'utf8');
      expect(text, file).not.toMatch(/export \*/);
      expect(text, file).not.toMatch(/(^|\n)import '/);
    }
  });

  test('the door of seal lets no key, IV or content key in or out', () => {
    const door = readFileSync(join(SRC, 'seal/index.ts'), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    expect(door).not.toMatch(/contentkey|content-key|random|\biv\b|\bcek\b|ephemeral|material/i);
  });
});
