/** The document's declaration as a JSON Schema for editors and as a table for the README. */
import { z } from 'zod';
import { document } from './document.ts';
import { isRecord } from './mistakes.ts';

type Schema = Readonly<Record<string, unknown>>;

/** `${NAME}` may stand in any text and is filled in before the text is checked. */
const VARIABLE = '\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}';

/** The configuration's JSON Schema, draft 7: what YAML editors understand best. */
export function configJsonSchema(): Schema {
  const { $schema, ...schema } = z.toJSONSchema(document, { io: 'input', target: 'draft-7' });
  return {
    $schema,
    title: 'claimseal configuration',
    description:
      'Who may read which claim of an identity event. Generated; `claimseal check` knows more rules.',
    ...(withVariables(schema) as Schema),
  };
}

function withVariables(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withVariables);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      // Names of members are no values: nothing is filled in there.
      if (name === 'propertyNames') return [name, member];
      if (name === 'pattern' && typeof member === 'string') return [name, `${member}|${VARIABLE}`];
      return [name, withVariables(member)];
    }),
  );
}

/** The configuration reference as a Markdown table: member, value, default, meaning. */
export function configReference(): string {
  const rows = rowsOf(z.toJSONSchema(document, { io: 'input' }), '');
  return [
    '| member | value | default | |',
    '|---|---|---|---|',
    ...rows.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`),
    '',
  ].join('\n');
}

function rowsOf(schema: Schema, path: string): string[][] {
  const rows: string[][] = [];
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  for (const [name, member] of Object.entries(properties)) {
    if (!isRecord(member)) continue;
    const at = path === '' ? name : `${path}.${name}`;
    rows.push([
      `\`${at}\``,
      kindOf(member),
      'default' in member
        ? `\`${JSON.stringify(member['default'])}\``
        : required.includes(name)
          ? REQUIRED
          : '',
      typeof member['description'] === 'string' ? member['description'] : '',
    ]);
    rows.push(...below(member, at));
  }
  return rows;
}

/** Members of what stands at a place; those that several alternatives have are listed once. */
function below(schema: Schema, path: string): string[][] {
  const rows = [...rowsOf(schema, path)];
  const options = optionsOf(schema);
  const tag = tagOf(options);
  for (const option of options) {
    const only = tag === undefined ? '' : ` with ${kindOf(memberOf(option, tag)!)}`;
    const own = below(option, path);
    rows.push(
      ...own.map(([at, kind, use, text]) => [
        at!,
        kind!,
        use === REQUIRED && at !== `\`${path}.${tag}\`` ? use + only : use!,
        text!,
      ]),
    );
  }
  if (isRecord(schema['items'])) rows.push(...below(schema['items'], `${path}[]`));
  // The tests of a `when` are told in its description.
  if (isRecord(schema['additionalProperties']) && !path.endsWith('when'))
    rows.push(...below(schema['additionalProperties'], `${path}.NAME`));
  return merged(rows);
}

/** The member by whose value the alternatives differ. */
function tagOf(options: readonly Schema[]): string | undefined {
  const [first] = options;
  if (options.length < 2 || first === undefined || !isRecord(first['properties'])) return undefined;
  return Object.keys(first['properties']).find((name) =>
    options.every((option) => ['const', 'enum'].some((word) => word in (memberOf(option, name) ?? {}))),
  );
}

function memberOf({ properties }: Schema, name: string): Schema | undefined {
  const member = isRecord(properties) ? properties[name] : undefined;
  return isRecord(member) ? member : undefined;
}

/** Rows of one member as one row: every kind, every text. */
function merged(rows: readonly string[][]): string[][] {
  const byMember = new Map<string, string[]>();
  for (const [at, kind, use, text] of rows as [string, string, string, string][]) {
    const known = byMember.get(at);
    if (known === undefined) byMember.set(at, [at, kind, use, text]);
    else if (known[1] !== kind) byMember.set(at, [at, `${known[1]}, ${kind}`, use, `${known[3]} ${text}`]);
  }
  return [...byMember.values()];
}

const REQUIRED = '**required**';

const optionsOf = (schema: Schema): Schema[] =>
  [schema['anyOf'], schema['oneOf']].flatMap((options) =>
    Array.isArray(options) ? options.filter(isRecord) : [],
  );

function kindOf(schema: Schema): string {
  const options = optionsOf(schema);
  if (options.length > 0) {
    const kinds = [...new Set(options.map(kindOf))].join(' or ');
    return kinds.replace('text or list of text', 'pointer');
  }
  if ('const' in schema) return `\`${String(schema['const'])}\``;
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `\`${value}\``).join(', ');
  switch (schema['type']) {
    case 'string':
      return 'text';
    case 'array':
      return isRecord(schema['items']) ? `list of ${kindOf(schema['items'])}` : 'list';
    case 'boolean':
      return '`true`, `false`';
    case 'integer':
    case 'number':
      return `${schema['type']}${rangeOf(schema)}`;
    default:
      return String(schema['type'] ?? 'any');
  }
}

function rangeOf({ minimum, maximum }: Schema): string {
  if (minimum === undefined) return '';
  return typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER
    ? `, ${String(minimum)} to ${maximum}`
    : `, from ${String(minimum)}`;
}
