/**
 * What a mistake in the document says: where, what was expected, what was found, what to do. Secrets and what
 * came from the environment are never shown.
 */
import type { z } from 'zod';
import type { Mistake } from '../errors.ts';
import { documentSchema, SECRETS } from './document.ts';

export type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** Tells whether the text at a path came from the environment. */
export type Hidden = (path: Path) => boolean;

/** `audiences.payroll.topic`, `grants[0].when["/type"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text === '' ? '(document)' : text;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of the document; undefined where there is none. */
export function valueAt(document: unknown, path: Path): unknown {
  let value = document;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

const SHOWN = 60;

/**
 * What was found, as far as it may be shown. A text where a section with a secret belongs may be the secret
 * itself (`sasl: user:password`).
 */
export function describeGot(value: unknown, path: Path, hidden: Hidden): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'an object';
  if (isSecret(path) || SECRETS.some((place) => startsWith(place, path)))
    return `a ${typeof value} that is not shown`;
  if (hidden(path)) return `a ${typeof value} from the environment that is not shown`;
  if (path[1] === 'brokers' && String(value).includes('@')) return 'an address with credentials, not shown';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}...` : value);
}

/** Whether a path is a secret's place or leads below it. */
function isSecret(path: Path): boolean {
  return SECRETS.some((place) => startsWith(path, place));
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((segment, i) => segment === path[i]);
}

/** The nearest of `known`, when it is near enough to be what was meant. */
export function didYouMean(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance && distance < candidate.length) [best, bestDistance] = [candidate, distance];
  }
  return best === undefined ? undefined : `did you mean ${best}?`;
}

/** Levenshtein's, with a swap of neighbours as one edit. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = rows[i - 1]![j - 1]! + Number(a[i - 1] !== b[j - 1]);
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, substituted);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

const list = (values: readonly unknown[]) =>
  values
    .map(String)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');

/** Hints for what somebody may well write and must not, members and values alike. */
const UNWELCOME: ReadonlyMap<string, string> = new Map(
  Object.entries({
    rejectUnauthorized: 'verification cannot be switched off: name the CA in ca',
    RSA1_5: 'refused: open to padding oracles; RSA-OAEP-256 is the one for RSA',
    'RSA-OAEP': 'refused: it uses SHA-1; RSA-OAEP-256 does not',
    dir: 'refused for sealing: no process can watch the bound on its key',
    each: 'not in this version: write each reader as an audience, with keys and a topic of its own',
    directory: 'not in this version: write each reader as an audience, with keys and a topic of its own',
    split: 'not in this version: one record is one event, so its producer has to split it',
    include: 'not in this version: write one document',
    sign: 'not in this version: nothing is signed, the origin of an output rests on the ACLs of its topic',
    layout: 'not in this version: an output is the clear members, and the view as a JWE at sealed',
    url: 'not in this version: fetch the set into a file, which is read again when it changes',
    trust: 'not in this version: it goes with url; a file is trusted by who may write it',
    thumbprints: 'not in this version: it goes with url; a file is trusted by who may write it',
    avro: 'not in this version: events are JSON objects',
    jwt: 'not in this version: events are JSON objects',
  }),
);

/** Everything zod found, as mistakes. `at` is where the parsed part stands in the document. */
export function toMistakes(issues: readonly Issue[], document: unknown, at: Path, hidden: Hidden): Mistake[] {
  return issues.flatMap((issue) => {
    const path = [...at, ...issue.path];
    const found = valueAt(document, path);
    const mistake = (expected: string, hint?: string): Mistake => ({
      path: formatPath(path),
      expected,
      got: describeGot(found, path, hidden),
      ...(hint === undefined ? {} : { hint }),
    });
    switch (issue.code) {
      case 'unrecognized_keys': {
        const known = knownKeys(path);
        return issue.keys.map((key) => unknownMember(path, key, known, valueAt(found, [key])));
      }
      case 'invalid_type':
        return [mistake(TYPES[issue.expected] ?? issue.expected)];
      case 'invalid_value': {
        const near = typeof found === 'string' ? didYouMean(found, issue.values.map(String)) : undefined;
        return [mistake(list(issue.values), UNWELCOME.get(String(found)) ?? near)];
      }
      case 'too_small':
        return [mistake(atLeast(issue.origin, issue.minimum))];
      case 'too_big':
        return [
          mistake(
            issue.origin === 'string' ? `at most ${issue.maximum} characters` : `at most ${issue.maximum}`,
          ),
        ];
      case 'invalid_union':
        return unionMistakes(issue, document, path, hidden) ?? [mistake(unionExpects(issue, path))];
      case 'custom': {
        const hint: unknown = issue.params?.['hint'];
        return [mistake(issue.message, typeof hint === 'string' ? hint : undefined)];
      }
      default:
        return [mistake(issue.message)];
    }
  });
}

function atLeast(origin: string, minimum: number | bigint): string {
  if (origin === 'string') return 'a text that is not empty';
  if (origin === 'array') return `a list of at least ${minimum}`;
  return `at least ${minimum}`;
}

/** A member that no schema knows. */
export function unknownMember(path: Path, key: string, known: readonly string[], value: unknown): Mistake {
  const expected = known.length === 0 ? 'no such member' : `one of ${known.join(', ')}`;
  if (!mayShow(path, key, value)) {
    return { path: formatPath(path), expected, got: 'an unknown member that is not shown' };
  }
  const hint = UNWELCOME.get(key) ?? didYouMean(key, known);
  return {
    path: formatPath([...path, key]),
    expected,
    got: `unknown member ${JSON.stringify(key)}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** In YAML's flow style a missing blank makes a name of a secret: `{ password:hunter2 }`, `{ mechanism: plain, hunter2 }`. */
function mayShow(path: Path, key: string, value: unknown): boolean {
  const besideSecret = path.length > 0 && SECRETS.some((place) => startsWith(place, path));
  return (
    /^\w[\w-]{0,39}$/.test(key) &&
    !isSecret(path) &&
    !(besideSecret && (value === null || value === undefined))
  );
}

/** Of a union, the one alternative whose shape fits speaks: only it found its mistakes further down. */
function unionMistakes(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  document: unknown,
  path: Path,
  hidden: Hidden,
): Mistake[] | undefined {
  const fitting = issue.errors.filter((alternative) =>
    alternative.every(
      (i) => i.path.length > 0 || !['invalid_type', 'invalid_value', 'invalid_union'].includes(i.code),
    ),
  );
  return fitting.length === 1 ? toMistakes(fitting[0]!, document, path, hidden) : undefined;
}

function unionExpects(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path): string {
  // A discriminated union has no message of its own: its discriminator names the alternatives.
  if (issue.errors.length > 0) return issue.message;
  const values = schemasAt(path).flatMap((s) => [
    ...(Array.isArray(s['enum']) ? s['enum'] : []),
    ...('const' in s ? [s['const']] : []),
  ]);
  return values.length === 0 ? 'an object' : list(values);
}

// ---- the schema as data, for what zod's issues do not say --------------------------------------

type JsonSchema = Record<string, unknown>;

const alternatives = (schema: JsonSchema): JsonSchema[] => {
  const options = [schema['anyOf'], schema['oneOf']].flatMap((o) =>
    Array.isArray(o) ? o.filter(isRecord) : [],
  );
  return options.length === 0 ? [schema] : options.flatMap(alternatives);
};

/** The schemas that may apply at a path. */
function schemasAt(path: Path): JsonSchema[] {
  let schemas = alternatives(documentSchema());
  for (const part of path) {
    schemas = schemas.flatMap((schema) => {
      const properties = schema['properties'];
      const next =
        typeof part === 'number'
          ? schema['items']
          : ((isRecord(properties) ? properties[String(part)] : undefined) ?? schema['additionalProperties']);
      return isRecord(next) ? alternatives(next) : [];
    });
  }
  return schemas;
}

/** Members that may stand in the object at a path. */
export function knownKeys(path: Path): string[] {
  const keys = schemasAt(path).flatMap((s) =>
    isRecord(s['properties']) ? Object.keys(s['properties']) : [],
  );
  return [...new Set(keys)];
}
