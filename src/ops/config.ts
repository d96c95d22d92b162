import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { ClaimsealError, ConfigError, type Mistake } from '../errors.ts';
import {
  type Config,
  canonicalNumber,
  formatPath,
  parseConfig,
  policyDigest,
  SECRETS,
} from '../policy/index.ts';

type Path = readonly (string | number)[];

export interface LoadedConfig {
  /** Secrets read, files as absolute paths. */
  readonly config: Config;
  /** The policy's digest: base64url of SHA-256. */
  readonly digest: string;
  /** The folder that the document's relative paths start from. */
  readonly baseDir: string;
}

/**
 * Reads a configuration: YAML 1.2 (core schema), then `${ENV}` inside string values, then secret files, then the
 * policy's own rules.
 * @param file path of the YAML document
 * @param sha256 bytes to base64url, for the digest
 * @param env where `${NAME}` is looked up
 * @throws ClaimsealError `config.unreadable`; ConfigError with every mistake at once
 */
export async function loadConfig(
  file: string,
  sha256: (bytes: Buffer) => string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<LoadedConfig> {
  const mistakes: Mistake[] = [];
  const document = parseYaml(await readText(file), file, mistakes);
  const baseDir = dirname(resolve(file));
  const hidden = new Set<string>();
  const expanded = expand(document, [], env, hidden, mistakes);
  await readSecrets(expanded, baseDir, mistakes);
  try {
    const config = parseConfig(expanded, file, (path) => {
      const at = formatPath(path);
      return hidden.has(at) || [...hidden].some((h) => h.startsWith(`${at}.`) || h.startsWith(`${at}[`));
    });
    if (mistakes.length > 0) throw new ConfigError(file, mistakes);
    return { config: resolveFiles(config, baseDir), digest: policyDigest(document, sha256), baseDir };
  } catch (error) {
    if (!(error instanceof ConfigError) || mistakes.length === 0 || error.mistakes === mistakes) throw error;
    // What could not be filled in is reported once, not again as what the parser makes of it.
    const reported = (path: string) => mistakes.some((m) => m.path === path || m.path.startsWith(`${path}.`));
    throw new ConfigError(file, [...mistakes, ...error.mistakes.filter((m) => !reported(m.path))]);
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readUtf8(file);
  } catch (cause) {
    throw new ClaimsealError('config.unreadable', `cannot read ${file}: ${reasonOf(cause)}`, {
      place: { file },
      remedy: 'name a readable YAML file with --config',
      cause,
    });
  }
}

/** What is no UTF-8 is refused: replaced characters would make one secret of many. */
async function readUtf8(file: string): Promise<string> {
  return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
}

/** An error's code such as ENOENT; a message of the file system would repeat the path. */
function reasonOf(cause: unknown): string {
  if (cause instanceof TypeError) return 'it is not UTF-8';
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'unknown';
}

// ---- YAML --------------------------------------------------------------------------------------

/** The document as plain data. What is no YAML is thrown; rounded numbers go to `mistakes`, as the rest can be read. */
function parseYaml(text: string, file: string, mistakes: Mistake[]): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    // Keys that only look alike (1 and "1", an alias) would lose one of them without a word.
    stringKeys: true,
    // Its warnings go to standard error and quote the source.
    logLevel: 'error',
    prettyErrors: false,
    lineCounter: lines,
  });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  const faults = [...document.errors, ...document.warnings].map(
    ({ pos, code }): Mistake => ({
      path: at(pos[0]),
      expected: 'one document of YAML 1.2',
      // The library's messages quote the source.
      got: FAULTS[code] ?? code.toLowerCase().replaceAll('_', ' '),
    }),
  );
  const directive = document.directives?.yaml;
  if (directive?.explicit === true && directive.version !== '1.2') {
    faults.push({ path: 'line 1', expected: 'YAML 1.2', got: `a %YAML ${directive.version} directive` });
  }
  if (faults.length > 0) throw new ConfigError(file, faults);
  roundedNumbers(document.contents, [], mistakes);
  try {
    const data: unknown = document.toJS({ maxAliasCount: 100 });
    refuseCycles(data, []);
    return data;
  } catch {
    const got = 'aliases that are too many or refer to what holds them';
    throw new ConfigError(file, [
      { path: '(document)', expected: 'at most 100 aliases, none circular', got },
    ]);
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a second document',
  DUPLICATE_KEY: 'the same member twice',
};

/** @throws RangeError for data that holds itself */
function refuseCycles(value: unknown, holders: readonly object[]): void {
  if (typeof value !== 'object' || value === null) return;
  if (holders.includes(value)) throw new RangeError('circular');
  for (const member of Object.values(value)) refuseCycles(member, [...holders, value]);
}

/** A number that a double would change: the policy would then compare with another one than it says. */
function roundedNumbers(node: Document['contents'] | unknown, path: Path, mistakes: Mistake[]): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      roundedNumbers(value, [...path, isScalar(key) ? String(key.value) : '?'], mistakes);
    }
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) roundedNumbers(item, [...path, index], mistakes);
  } else if (
    isScalar(node) &&
    !isAlias(node) &&
    typeof node.value === 'number' &&
    node.source !== undefined
  ) {
    if (isExact(node.value, node.source)) return;
    mistakes.push({
      path: formatPath(path),
      expected: 'a number that a double holds exactly',
      // An unquoted password may look like a number: what was found is never shown.
      got: 'one that it rounds',
      hint: 'write a text in quotes if that is what is meant',
    });
  }
}

function isExact(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return true; // .inf and .nan: no schema takes them
  if (source.startsWith('0x') || source.startsWith('0o')) return Number.isSafeInteger(value);
  return canonicalNumber(source) === canonicalNumber(String(value));
}

// ---- environment and files ---------------------------------------------------------------------

const VARIABLE = /\$\{([^}]*)\}?/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A copy with `${NAME}` replaced in string values. Paths of those go to `hidden`: they may hold secrets. */
function expand(
  value: unknown,
  path: Path,
  env: NodeJS.ProcessEnv,
  hidden: Set<string>,
  mistakes: Mistake[],
): unknown {
  if (Array.isArray(value)) return value.map((item, i) => expand(item, [...path, i], env, hidden, mistakes));
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([name, member]) => [name, expand(member, [...path, name], env, hidden, mistakes)]),
    );
  }
  if (typeof value !== 'string' || !value.includes('${')) return value;
  hidden.add(formatPath(path));
  return value.replace(VARIABLE, (whole, name: string) => {
    const found = NAME.test(name) && whole.endsWith('}') ? env[name] : undefined;
    if (found !== undefined) return found;
    const named = NAME.test(name) && whole.endsWith('}');
    mistakes.push({
      path: formatPath(path),
      expected: named
        ? `environment variable ${name}`
        : 'a variable whose name is letters, digits and _, in braces',
      got: named ? 'nothing' : 'another form',
      hint: named ? `set ${name} before starting` : 'a literal ${ cannot be written',
    });
    return whole;
  });
}

/** Puts the text of each `{ file }` in a secret's place, less a trailing newline. */
async function readSecrets(document: unknown, baseDir: string, mistakes: Mistake[]): Promise<void> {
  for (const place of SECRETS) {
    const parent = place.slice(0, -1).reduce<unknown>((at, name) => memberOf(at, name), document);
    const name = place.at(-1)!;
    const file = memberOf(memberOf(parent, name), 'file');
    if (typeof file !== 'string' || Object.keys(memberOf(parent, name) as object).length !== 1) continue;
    try {
      (parent as Record<string, unknown>)[name] = (await readUtf8(resolve(baseDir, file))).replace(
        /\r?\n$/,
        '',
      );
    } catch (cause) {
      const path = formatPath([...place, 'file']);
      mistakes.push({ path, expected: 'a readable file of text', got: reasonOf(cause) });
    }
  }
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/** The configuration with its file paths made absolute, counted from the document's folder. */
function resolveFiles(config: Config, baseDir: string): Config {
  const absolute = (path: string) => resolve(baseDir, path);
  const withFile = <K extends { file: string }>(keys: K): K => ({ ...keys, file: absolute(keys.file) });
  const { kafka, quarantine, audiences } = config;
  return {
    ...config,
    audiences: Object.fromEntries(
      Object.entries(audiences).map(([name, audience]) => [
        name,
        audience.keys === 'none' ? audience : { ...audience, keys: withFile(audience.keys) },
      ]),
    ),
    ...(quarantine === undefined ? {} : { quarantine: { ...quarantine, keys: withFile(quarantine.keys) } }),
    ...(kafka === undefined ? {} : { kafka: resolveKafka(kafka, absolute) }),
  };
}

function resolveKafka(kafka: NonNullable<Config['kafka']>, absolute: (path: string) => string): typeof kafka {
  const { ssl, sasl } = kafka;
  return {
    ...kafka,
    ssl:
      typeof ssl === 'boolean'
        ? ssl
        : {
            ...ssl,
            ...(ssl.ca === undefined ? {} : { ca: absolute(ssl.ca) }),
            ...(ssl.cert === undefined ? {} : { cert: absolute(ssl.cert) }),
            ...(ssl.key === undefined ? {} : { key: absolute(ssl.key) }),
          },
    ...(sasl?.mechanism === 'oauthbearer' ? { sasl: { ...sasl, tokenFile: absolute(sasl.tokenFile) } } : {}),
  };
}
