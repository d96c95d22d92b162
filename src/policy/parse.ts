/** The document to plain typed data, or every mistake of it at once. */
import { ConfigError, type Mistake } from '../errors.ts';
import {
  AUDIENCE_NAME,
  type Config,
  document as documentSchema,
  ENTRIES,
  QUARANTINE,
  SECTIONS,
} from './document.ts';
import {
  formatPath,
  type Hidden,
  isRecord,
  knownKeys,
  type Path,
  toMistakes,
  unknownMember,
} from './mistakes.ts';
import { checkRules, type Draft } from './rules.ts';

/** Nothing of the document is deeper. Also ends the walk of a document that contains itself. */
const MAX_DEPTH = 32;
const TOO_DEEP = 'more';

/**
 * Parses a configuration document, `${ENV}` expanded and secret files read.
 *
 * Structure and rules are checked together: a broken section hides the mistakes of no other one.
 * @param document what the YAML parser made of the file
 * @param file named in the error
 * @param hidden tells whether the text at a path came from the environment and so must not be shown
 * @throws ConfigError with all mistakes
 */
export function parseConfig(document: unknown, file: string, hidden: Hidden = () => false): Config {
  const mistakes = findMistakes(document, hidden);
  if (mistakes.length > 0) throw new ConfigError(file, mistakes);
  return documentSchema.parse(document);
}

function findMistakes(document: unknown, hidden: Hidden): Mistake[] {
  if (!isRecord(document)) {
    const got = document === null || document === undefined ? 'an empty document' : `a ${typeof document}`;
    return [{ path: '(document)', expected: 'an object', got: Array.isArray(document) ? 'a list' : got }];
  }
  const mistakes = strayMembers(document, []);
  if (mistakes.some(({ got }) => got === TOO_DEEP)) return mistakes;

  // Another version may mean anything by its members: nothing else of it is worth reporting.
  const version = SECTIONS.version.safeParse(document['version']);
  if (!version.success) {
    const [mistake] = toMistakes(version.error.issues, document, ['version'], hidden);
    const hint = 'this claimseal reads version 1; another one needs another claimseal';
    if (document['version'] !== undefined) return [{ ...mistake!, hint }];
    mistakes.push(mistake!);
  }
  for (const key of Object.keys(document)) {
    if (!Object.hasOwn(SECTIONS, key)) mistakes.push(unknownMember([], key, knownKeys([]), document[key]));
  }
  const draft = parseSections(document, hidden, mistakes);
  checkRules(draft, hidden, (mistake) => mistakes.push(mistake));
  // A stray member may have been met by the walk and by its section's schema.
  return mistakes.filter((m, i) => mistakes.findIndex((n) => n.path === m.path && n.got === m.got) === i);
}

/** `__proto__` is a member that parsers like to lose, and a lost test of a `when` widens a grant. */
function strayMembers(value: unknown, path: Path): Mistake[] {
  if (typeof value !== 'object' || value === null) return [];
  if (path.length > MAX_DEPTH) {
    return [{ path: formatPath(path), expected: `at most ${MAX_DEPTH} levels`, got: TOO_DEEP }];
  }
  const mistakes: Mistake[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') mistakes.push(unknownMember(path, key, [], member));
    else mistakes.push(...strayMembers(member, [...path, Array.isArray(value) ? Number(key) : key]));
  }
  return mistakes;
}

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly issues: Parameters<typeof toMistakes>[0] } };
}

/** Each section, and of the three lists each entry, by itself. */
function parseSections(document: Record<string, unknown>, hidden: Hidden, mistakes: Mistake[]): Draft {
  const part = <T>(schema: Schema<T>, value: unknown, path: Path): T | undefined => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    mistakes.push(...toMistakes(result.error.issues, document, path, hidden));
    return undefined;
  };
  const section = <K extends keyof typeof SECTIONS>(name: K) =>
    part<ReturnType<(typeof SECTIONS)[K]['parse']>>(
      SECTIONS[name] as Schema<ReturnType<(typeof SECTIONS)[K]['parse']>>,
      document[name],
      [name],
    );
  const entries = <T>(name: 'clear' | 'grants', schema: Schema<T>): (T | undefined)[] => {
    const value = document[name];
    if (!Array.isArray(value)) {
      section(name);
      return [];
    }
    return value.map((item, index) => part(schema, item, [name, index]));
  };

  section('issuer');
  section('unlisted');
  section('http');
  section('log');
  const audiences: Draft['audiences'] = new Map();
  const named = document['audiences'];
  if (isRecord(named)) {
    for (const [name, value] of Object.entries(named)) {
      if (!AUDIENCE_NAME.test(name) || name === QUARANTINE) {
        mistakes.push({
          path: formatPath(['audiences', name]),
          expected: 'a name of 1 to 64 of a-z 0-9 -',
          got: JSON.stringify(name),
          ...(name === QUARANTINE
            ? { hint: 'quarantine is reserved: its keys and topic stand in section quarantine' }
            : {}),
        });
      }
      audiences.set(name, part(ENTRIES.audience, value, ['audiences', name]));
    }
    if (audiences.size === 0) {
      mistakes.push({ path: 'audiences', expected: 'at least one audience', got: 'none' });
    }
  } else section('audiences');

  return {
    source: section('source'),
    kafka: section('kafka'),
    clear: entries('clear', ENTRIES.clear),
    sealed: section('sealed'),
    audiences,
    grants: entries('grants', ENTRIES.grant),
    unmatched: section('unmatched'),
    record: section('record'),
    quarantine: section('quarantine'),
    hasQuarantine: document['quarantine'] !== undefined,
  };
}
