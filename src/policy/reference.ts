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
          ? '**required**'
          : '',
      typeof member['description'] === 'string' ? member['description'] : '',
    ]);
    rows.push(...below(member, at));
  }
  return rows;
}

/** Members of what stands at a place; alternatives with the same members are listed once. */
function below(schema: Schema, path: string): string[][] {
  const rows = [...rowsOf(schema, path)];
  for (const option of optionsOf(schema)) rows.push(...below(option, path));
  if (isRecord(schema['items'])) rows.push(...below(schema['items'], `${path}[]`));
  // The tests of a `when` are told in its description.
  if (isRecord(schema['additionalProperties']) && !path.endsWith('when'))
    rows.push(...below(schema['additionalProperties'], `${path}.NAME`));
  return rows.filter((row, i) => rows.findIndex(([at]) => at === row[0]) === i);
}

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
