import { isUtf8 } from 'node:buffer';
import { ClaimsealError } from '../errors.ts';
import type { Output, SourceRecord } from '../event.ts';

/** Bytes in a line: text where they are UTF-8. */
type Field = string | { readonly base64: string } | null;

/** What a line holds of a record. */
export interface LineRecord {
  readonly key: Buffer | null;
  /** Null for a tombstone. */
  readonly value: Buffer | null;
  readonly headers: SourceRecord['headers'];
}

/**
 * One output as a line: `{"topic","key","headers","value"}`. `headers` is an object; the values of a name that
 * stands there more than once are a list.
 */
export function formatOutputLine({
  topic,
  key,
  headers,
  value,
}: Omit<Output, 'partition' | 'timestamp'>): string {
  const named: Record<string, Field | Field[]> = Object.create(null);
  for (const [name, content] of headers) {
    const before = named[name];
    if (before === undefined) named[name] = format(content);
    else if (Array.isArray(before)) before.push(format(content));
    else named[name] = [before, format(content)];
  }
  return `${JSON.stringify({ topic, key: format(key), headers: named, value: format(value) })}\n`;
}

/**
 * Reads such a line; any other line is a value by itself.
 * @throws ClaimsealError `event.notJson` where the line has the members of an output, but not their types
 */
export function parseOutputLine(line: Buffer): LineRecord {
  const bare: LineRecord = { key: null, value: line, headers: [] };
  const parsed = parse(line);
  if (parsed === undefined) return bare;
  const { topic, key, headers, value, ...others } = parsed;
  if (
    typeof topic !== 'string' ||
    key === undefined ||
    value === undefined ||
    Object.keys(others).length > 0
  ) {
    return bare;
  }
  if (typeof headers !== 'object' || headers === null) throw notAnOutput();
  const list: (readonly [string, Buffer | null])[] = [];
  for (const [name, content] of Object.entries(headers)) {
    for (const one of Array.isArray(content) ? content : [content]) list.push([name, unformat(one)]);
  }
  return { key: unformat(key), value: unformat(value), headers: list };
}

function format(bytes: Buffer | null): Field {
  if (bytes === null) return null;
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
}

function unformat(field: unknown): Buffer | null {
  if (field === null) return null;
  if (typeof field === 'string') return Buffer.from(field);
  if (typeof field === 'object' && 'base64' in field && typeof field.base64 === 'string') {
    return Buffer.from(field.base64, 'base64');
  }
  throw notAnOutput();
}

function parse(line: Buffer): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(line.toString());
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? { ...parsed }
      : undefined;
  } catch {
    return undefined;
  }
}

function notAnOutput(): ClaimsealError {
  return new ClaimsealError(
    'event.notJson',
    'expected key, value and header values as text, {"base64": text} or null, found something else',
    { remedy: 'give lines as `claimseal seal` writes them, or bare values' },
  );
}
