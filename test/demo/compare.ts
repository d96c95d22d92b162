/** What the judge found, against what `claimseal explain` says. */
import { demoEvent } from './events.ts';

/** Of `claimseal explain --json`. */
export interface Matrix {
  readonly audiences: readonly { readonly name: string; readonly keys: 'sealed' | 'none' }[];
  readonly claims: readonly {
    readonly pointer: string;
    readonly designated: boolean;
    readonly readers: readonly {
      readonly audience: string;
      readonly grants: readonly { readonly when: Readonly<Record<string, unknown>> | null }[];
    }[];
  }[];
}

/** Of judge.mjs. */
export interface Judgement {
  readonly records: number;
  readonly topics: Readonly<
    Record<
      string,
      {
        readonly records: number;
        readonly clear: readonly string[];
        readonly opened: Readonly<Record<string, { readonly tried: number; readonly opened: number }>>;
      }
    >
  >;
  /** audience -> event type -> pointers of the values it could read. */
  readonly reads: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly sample: string;
  readonly sampleOpened: string;
}

/** Every way in which the judgement differs from the policy; none is what everybody hopes for. */
export function compare(matrix: Matrix, judged: Judgement, events: number): string[] {
  const differences: string[] = [];
  const expect = (what: string, expected: unknown, found: unknown) => {
    if (JSON.stringify(found) !== JSON.stringify(expected))
      differences.push(
        `${what}: the policy says ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`,
      );
  };
  const types = typesOf(events);
  for (const { name, keys } of matrix.audiences) {
    const topic = judged.topics[name]!;
    expect(`records for ${name}`, events, topic.records);
    const clear = new Set(
      [...types.values()].flatMap((present) => present.filter((p) => mayRead(matrix, p, undefined, ''))),
    );
    expect(`in clear for ${name}`, [...clear].sort(), [...topic.clear].sort());
    if (keys === 'none') continue;
    for (const [reader, { tried, opened }] of Object.entries(topic.opened)) {
      expect(`${name}'s JWEs opened by ${reader}`, reader === name ? tried : 0, opened);
      if (tried === 0) differences.push(`${name}'s JWEs were never tried by ${reader}`);
    }
    for (const [type, present] of types) {
      const expected = present.filter((pointer) => mayRead(matrix, pointer, name, type));
      expect(`read by ${name} in ${type}`, expected.sort(), [...(judged.reads[name]?.[type] ?? [])].sort());
    }
  }
  return differences;
}

export function printMatrix(say: (line?: string) => void, matrix: Matrix, judged: Judgement): void {
  const audiences = matrix.audiences.map(({ name }) => name);
  const widths = [24, ...audiences.map(() => 15)];
  const row = (cells: readonly string[]) =>
    say(
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('')
        .trimEnd(),
    );
  row(['', ...audiences]);
  for (const { pointer, designated } of matrix.claims) {
    row([pointer, ...audiences.map((name) => (designated ? cell(judged, name, pointer) : 'in clear'))]);
  }
  say();
  for (const [owner, { opened }] of Object.entries(judged.topics)) {
    const tries = Object.entries(opened).map(([reader, n]) => `${reader} ${n.opened} of ${n.tried}`);
    if (tries.length > 0) say(`${`${owner}'s topic`.padEnd(17)} opened with the key of: ${tries.join(', ')}`);
  }
}

function cell(judged: Judgement, audience: string, pointer: string): string {
  const reads = Object.entries(judged.reads[audience] ?? {});
  const seen = reads.filter(([, pointers]) => pointers.some((leaf) => covers(pointer, leaf)));
  if (seen.length === 0) return '-';
  return `reads${seen.length === reads.length ? '' : ` (${seen.map(([type]) => type.split('.')[0]).join(', ')})`}`;
}

/** Pointers of the values in events of each type. */
function typesOf(events: number): Map<string, string[]> {
  const types = new Map<string, Set<string>>();
  for (let n = 0; n < events; n += 1) {
    const event = JSON.parse(demoEvent(n).value);
    const present = types.get(event.type) ?? new Set();
    types.set(event.type, present);
    addPointers(event, '', present);
  }
  return new Map([...types].map(([type, present]) => [type, [...present]]));
}

function addPointers(value: unknown, path: string, into: Set<string>): void {
  if (value === null || typeof value !== 'object') into.add(path);
  else if (Array.isArray(value)) for (const item of value) addPointers(item, `${path}/*`, into);
  else for (const [name, member] of Object.entries(value)) addPointers(member, `${path}/${name}`, into);
}

/** Whether the matrix lets `audience` read the value at `leaf` in an event of `type`; everybody where undefined. */
function mayRead(matrix: Matrix, leaf: string, audience: string | undefined, type: string): boolean {
  return matrix.claims.some(({ pointer, designated, readers }) => {
    if (!covers(pointer, leaf)) return false;
    if (!designated) return true;
    const grants = readers.find((reader) => reader.audience === audience)?.grants ?? [];
    return grants.some(
      ({ when }) => when === null || Object.entries(when).every((test) => holds(test, type)),
    );
  });
}

function holds([subject, test]: readonly [string, unknown], type: string): boolean {
  if (subject !== '/type' || typeof test !== 'string')
    throw new Error(`the demo knows /type only, not ${subject}`);
  return test.endsWith('*') ? type.startsWith(test.slice(0, -1)) : type === test;
}

function covers(pointer: string, leaf: string): boolean {
  const [outer, inner] = [pointer.split('/'), leaf.split('/')];
  return outer.length <= inner.length && outer.every((segment, i) => segment === '*' || segment === inner[i]);
}
