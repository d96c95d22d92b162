/**
 * The values that the document is made of: durations, topics, secrets, pointers and the tests of a `when`. An
 * issue's message says what was expected; `params.hint` what to do about it.
 */
import { z } from 'zod';
import { type Pointer, parsePointer, pointerFault } from './pointer.ts';

// ---- scalars -----------------------------------------------------------------------------------

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d{1,9})(ms|s|m|h)$/;

/** `500ms`, `30s`, `10m`, `1h` to milliseconds; undefined for anything else. */
function milliseconds(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  return count === undefined || unit === undefined ? undefined : Number(count) * UNITS[unit]!;
}

export function duration(limits: { min?: string; below?: string } = {}) {
  const min = milliseconds(limits.min ?? '1ms')!;
  const below = limits.below === undefined ? Number.MAX_SAFE_INTEGER : milliseconds(limits.below)!;
  const range = [
    ...(limits.min === undefined ? [] : [`of at least ${limits.min}`]),
    ...(limits.below === undefined ? [] : [`below ${limits.below}`]),
  ].join(' and ');
  return z
    .string()
    .regex(DURATION, { error: 'a duration such as 500ms, 30s, 10m or 1h' })
    .transform((text, ctx) => {
      const ms = milliseconds(text);
      if (ms !== undefined && ms >= min && ms < below) return ms;
      ctx.addIssue({ code: 'custom', message: `a duration ${range === '' ? 'above 0' : range}` });
      return z.NEVER;
    });
}

const TOPIC = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
export const topic = () =>
  z.string().regex(TOPIC, { error: 'a Kafka topic name: 1 to 249 of A-Z a-z 0-9 . _ -' });
export const text = () => z.string().min(1);
export const filePath = () => text();

/** A secret stands in the document as text (usually `${ENV}`) or in a file, which is read before parsing. */
export const secret = () =>
  z
    .union(
      [
        text(),
        z.strictObject({
          file: filePath().describe('File that holds the secret; a trailing newline is cut off.'),
        }),
      ],
      {
        error: 'a text (best from the environment) or { file: path }',
      },
    )
    .transform((value, ctx) => {
      if (typeof value === 'string') return value;
      ctx.addIssue({
        code: 'custom',
        message: 'a secret whose file was read',
        params: { hint: 'load the document with loadConfig' },
      });
      return z.NEVER;
    });

// ---- pointers and subjects ---------------------------------------------------------------------

const POINTER = 'a JSON Pointer such as /data/email, or a list of segments';

const toPointer = (value: string | string[], ctx: z.core.$RefinementCtx): Pointer => {
  if (typeof value !== 'string') return value;
  const fault = pointerFault(value);
  if (fault === undefined) return parsePointer(value);
  const tag = value.startsWith('tag:');
  ctx.addIssue({
    code: 'custom',
    message: tag ? POINTER : fault,
    params: tag
      ? { hint: 'a tag takes its claims from a schema, and format json has none: name the pointers' }
      : {},
  });
  return z.NEVER;
};

export const pointer = () =>
  z.union([z.string(), z.array(z.string())], { error: POINTER }).transform(toPointer);

/** What a condition looks at. `text` is its spelling in the document. */
export type Subject =
  | { readonly kind: 'pointer'; readonly text: string; readonly pointer: Pointer }
  | { readonly kind: 'header'; readonly text: string; readonly name: string }
  | { readonly kind: 'key'; readonly text: string }
  | { readonly kind: 'topic'; readonly text: string };

/** `/pointer`, `header:NAME`, `key` or `topic`; undefined for anything else. */
export function parseSubject(text: string): Subject | undefined {
  if (text === 'key' || text === 'topic') return { kind: text, text };
  if (text.startsWith('header:')) {
    return text.length > 7 ? { kind: 'header', text, name: text.slice(7) } : undefined;
  }
  return text !== '' && pointerFault(text) === undefined
    ? { kind: 'pointer', text, pointer: parsePointer(text) }
    : undefined;
}

const SUBJECT = '/pointer, header:NAME, key or topic';

export const subject = () =>
  z
    .union([z.string(), z.array(z.string())], { error: `${SUBJECT}, or a list of segments` })
    .transform((value, ctx): Subject => {
      const parsed =
        typeof value === 'string'
          ? parseSubject(value)
          : { kind: 'pointer' as const, text: JSON.stringify(value), pointer: value };
      if (parsed !== undefined) return parsed;
      ctx.addIssue({ code: 'custom', message: SUBJECT });
      return z.NEVER;
    });

/** A value that a subject is compared with. */
export type Scalar = string | number | boolean | null;

/** One line of a `when`: the subject is present, or equals any of the values (a trailing `*` is a prefix). */
export type Test =
  | { readonly subject: Subject; readonly has: true }
  | { readonly subject: Subject; readonly anyOf: readonly Scalar[] };

const NUMBER = 'a number that a double holds exactly (compare large integers as strings)';
const scalar = () =>
  z.union(
    [
      z.string(),
      z.number().refine((n) => !Number.isInteger(n) || Number.isSafeInteger(n), { error: NUMBER }),
      z.boolean(),
      z.null(),
    ],
    { error: 'a string, number, boolean or null' },
  );

export const when = () =>
  z
    .record(
      z.string(),
      z.union([scalar(), z.array(scalar()).min(1), z.strictObject({ has: z.literal(true) })], {
        error: 'a string, number, boolean or null, a list of them, or { has: true }',
      }),
    )
    .transform((tests, ctx): readonly Test[] => {
      const parsed: Test[] = [];
      for (const [text, value] of Object.entries(tests)) {
        const of = parseSubject(text);
        if (of === undefined) {
          ctx.addIssue({ code: 'custom', message: `a subject: ${SUBJECT}`, path: [text] });
        } else if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
          parsed.push({ subject: of, has: true });
        } else {
          const anyOf = Array.isArray(value) ? value : [value];
          if (of.kind !== 'pointer' && anyOf.some((v) => typeof v !== 'string')) {
            ctx.addIssue({
              code: 'custom',
              message: 'strings: headers, keys and topics are text',
              path: [text],
            });
          }
          parsed.push({ subject: of, anyOf });
        }
      }
      if (Object.keys(tests).length === 0) ctx.addIssue({ code: 'custom', message: 'at least one test' });
      return parsed;
    });
