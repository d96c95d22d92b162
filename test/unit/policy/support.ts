/** A small policy to change one thing of, and events to decide on. */
import { createJsonCodec } from '../../../src/codec/index.ts';
import { ClaimsealError, ConfigError, type Mistake } from '../../../src/errors.ts';
import type { SourceRecord } from '../../../src/event.ts';
import { type Config, compilePolicy, parseConfig } from '../../../src/policy/index.ts';

export type Document = Record<string, unknown>;

/** A document without mistakes; `changes` replace whole sections. */
export function documentOf(changes: Document = {}): Document {
  const { unset, ...rest } = changes;
  const document: Document = {
    version: 1,
    issuer: 'https://idp.example',
    source: { topics: ['events'], format: 'json', id: ['/id'] },
    clear: ['/id', '/type'],
    audiences: {
      payroll: { keys: { file: 'payroll.json' }, topic: 'payroll' },
      siem: { keys: { file: 'siem.json' }, topic: 'siem' },
      router: { keys: 'none', topic: 'router' },
    },
    grants: [
      { claims: ['/data/email'], to: ['payroll'] },
      { claims: ['/data/roles'], to: ['siem'] },
    ],
    unlisted: 'drop',
    unmatched: 'drop',
    record: { key: 'drop' },
    ...rest,
  };
  if (typeof unset === 'string') delete document[unset];
  return document;
}

export const configOf = (changes: Document = {}): Config => parseConfig(documentOf(changes), 'policy.yaml');

/** All mistakes; an empty list for a good document. */
export function mistakesOf(document: unknown): readonly Mistake[] {
  try {
    parseConfig(document, 'policy.yaml');
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
}

/** Paths of the mistakes that these changes make. */
export const pathsOf = (changes: Document) => mistakesOf(documentOf(changes)).map(({ path }) => path);

const codec = createJsonCodec({ maxBytes: 1_000_000, maxDepth: 64 });

export function recordOf(more: Partial<SourceRecord> = {}): SourceRecord {
  return {
    topic: 'events',
    partition: 3,
    offset: '42',
    timestamp: '0',
    key: null,
    value: null,
    headers: [],
    ...more,
  };
}

/** What becomes of one event, as texts; `text` is the event's JSON, `changes` are to the policy. */
export function decide(changes: Document, text: string, record: Partial<SourceRecord> = {}) {
  const plan = compilePolicy(configOf(changes), { digest: 'digest', hmac: () => () => '' });
  const event = codec.decode(Buffer.from(text));
  const { evt, clear, views, routed, matched } = plan.decide(event, recordOf(record));
  return {
    evt,
    matched,
    clear: codec.write(event, clear).toString(),
    views: Object.fromEntries(
      views.map(({ audience, root }) => [audience.name, codec.write(event, root).toString()]),
    ),
    routed: routed.map(({ name }) => name),
  };
}

/** The code that quarantines an event, or `sealed`. */
export function codeOf(changes: Document, text: string, record: Partial<SourceRecord> = {}): string {
  try {
    decide(changes, text, record);
    return 'sealed';
  } catch (error) {
    if (error instanceof ClaimsealError) return error.code;
    throw error;
  }
}
