/**
 * The pipeline backwards: a record as an audience finds it on its topic becomes the view that was sealed for it,
 * or one constant error. A JWE that was moved to another event, to another audience or beside another clear part
 * still decrypts; comparing `aud`, `typ`, `evt` and the clear part is what refuses it.
 */
import { agrees, createJsonCodec, find, without } from './codec/index.ts';
import { ClaimsealError } from './errors.ts';
import type { Event, SourceRecord } from './event.ts';
import type { Codec } from './pipeline.ts';
import { eventId, parseSubject, QUARANTINE, type Subject } from './policy/index.ts';
import { algorithms, encryptions, openCompact, type PrivateKeySet, parsePrivateJwks } from './seal/index.ts';

export interface EventOpenerOptions {
  /** The `aud` this reader is. */
  readonly audience: string;
  /** What the JWE is bound to, as in `source.id` of the policy: `['/source', '/id']`, or `coordinates`. */
  readonly id: readonly string[] | 'coordinates';
  /** The place of the JWE: `sealed` of the policy. */
  readonly sealedPath?: readonly string[];
  /** A JWK Set (RFC 7517) of private or symmetric keys. */
  readonly keys: Buffer;
  /** Accepted header values of `alg`; all that claimseal seals with unless given. */
  readonly algs?: readonly string[];
  /** Accepted header values of `enc`. */
  readonly encs?: readonly string[];
  /** The only `iss` accepted; any unless given. */
  readonly issuer?: string;
  readonly limits?: { readonly maxBytes: number; readonly maxDepth: number };
}

/** A record to open. What `id` does not ask for may be left out. */
export interface SealedRecord {
  readonly value: Buffer;
  readonly key?: Buffer | null;
  readonly headers?: SourceRecord['headers'];
  /** Where the event came from; read from header `claimseal-source` unless given. */
  readonly source?: Pick<SourceRecord, 'topic' | 'partition' | 'offset'>;
}

export interface EventOpener {
  /**
   * Opens one record.
   * @returns the view as JSON in UTF-8, without padding
   * @throws ClaimsealError `event.*` when the value is no I-JSON object, `open.notSealed` when there is no string
   *   at the place of the JWE, `open.failed`, the same for every other cause
   */
  open(record: SealedRecord): Buffer;
  /** Keys of the set that are not used, and why. */
  readonly refused: PrivateKeySet['refused'];
}

const LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 200 };
const HEADER_LIMITS = { maxBytes: 64 * 1024, maxDepth: 16 };

/**
 * Makes an opener for one audience.
 * @throws ClaimsealError `config.invalid` for an `id` that is none, `keys.unreadable` when `keys` is no JWK Set,
 *   `keys.none` when no key of it can open
 */
export function createEventOpener(options: EventOpenerOptions): EventOpener {
  const { audience, id, issuer, sealedPath = ['sealed'] } = options;
  const { maxBytes, maxDepth } = options.limits ?? LIMITS;
  const { algs = algorithms, encs = encryptions } = options;
  const keys = privateKeys(options.keys, audience);
  const codec = createJsonCodec({ maxBytes, maxDepth });
  const headerCodec = createJsonCodec(HEADER_LIMITS);
  const subjects = id === 'coordinates' ? id : id.map(toSubject);
  const evtOf = eventId(subjects);
  const needsSource = subjects === 'coordinates' || subjects.some(({ kind }) => kind === 'topic');

  const bind = (record: SealedRecord): ((event: Event) => string) => {
    const source = record.source ?? coordinatesOf(record.headers ?? []);
    if (source === undefined && needsSource) throw failed();
    const { topic, partition, offset } = source ?? { topic: '', partition: 0, offset: '0' };
    const { key = null, headers = [] } = record;
    const from = { topic, partition, offset, timestamp: '0', key, value: null, headers };
    return (event) => orFailed(() => evtOf(event, from));
  };

  const open = (record: SealedRecord): Buffer => {
    const envelope = codec.decode(record.value);
    const sealed = find(envelope.root, sealedPath);
    if (sealed?.kind !== 'string') {
      throw new ClaimsealError('open.notSealed', 'there is no JWE at its place in the value', {
        remedy: 'check the place (`sealed` of the policy) and that this topic is one of a sealed audience',
      });
    }
    const jwe = envelope.text(sealed);
    // Before the seal room reads it with a parser that takes the last of two equal members.
    const header = readHeader(headerCodec, jwe);
    const opened = openCompact(jwe, { keys, algs, encs, maxBytes, aud: audience, typ: 'view' });
    const view = orFailed(() => codec.decode(opened.plaintext));
    if (issuer !== undefined && header.iss !== issuer) throw failed();

    const root = without(envelope.root, sealedPath);
    const clear: Event = { root, text: (node) => envelope.text(node) };
    const evt = bind(record);
    if (evt(view) !== header.evt || evt(clear) !== header.evt) throw failed();
    if (!agrees(clear, root, view, view.root)) throw failed();
    return codec.write(view, view.root);
  };
  return { open, refused: keys.refused };
}

/** @throws ClaimsealError `keys.unreadable`, `keys.none` */
function privateKeys(set: Buffer, audience: string): PrivateKeySet {
  const keys = parsePrivateJwks(set);
  if (keys.keys.length > 0) return keys;
  const reasons = keys.refused.map(({ index, reason }) => `key ${index}: ${reason}`);
  throw new ClaimsealError(
    'keys.none',
    `no key of the set can open: ${reasons.join('; ') || 'it is empty'}`,
    {
      place: { audience },
      remedy: 'give the private JWK Set of this audience (`claimseal keygen` makes a pair)',
    },
  );
}

export interface QuarantineOpenerOptions {
  /** A JWK Set (RFC 7517) of private keys. */
  readonly keys: Buffer;
  /** The only `iss` accepted; any unless given. */
  readonly issuer?: string;
}

/**
 * Makes an opener for quarantined records, whose value is the JWE alone.
 * @returns what was set aside, as JSON in UTF-8: coordinates, timestamp, key, value and headers in base64, code;
 *   with the errors of `createEventOpener`
 */
export function createQuarantineOpener({ keys: set, issuer }: QuarantineOpenerOptions): EventOpener {
  const keys = privateKeys(set, QUARANTINE);
  const codec = createJsonCodec(LIMITS);
  const headerCodec = createJsonCodec(HEADER_LIMITS);
  const { maxBytes } = LIMITS;
  const open = ({ value }: SealedRecord): Buffer => {
    const jwe = value.toString('latin1');
    const header = readHeader(headerCodec, jwe);
    const options = { keys, algs: algorithms, encs: encryptions, maxBytes, aud: QUARANTINE } as const;
    const { plaintext } = openCompact(jwe, { ...options, typ: 'quarantine' });
    const kept = orFailed(() => codec.decode(plaintext));
    const evt = orFailed(() => {
      const { topic, partition, offset } = JSON.parse(plaintext.toString());
      return `[${JSON.stringify(topic)},${partition},${offset}]`;
    });
    if (evt !== header.evt || (issuer !== undefined && header.iss !== issuer)) throw failed();
    return codec.write(kept, kept.root);
  };
  return { open, refused: keys.refused };
}

/** The header's `iss`, and its `evt` as JSON text. */
function readHeader(codec: Codec, jwe: string): { iss: string | undefined; evt: string } {
  const bytes = Buffer.from(jwe.slice(0, Math.max(0, jwe.indexOf('.'))), 'base64url');
  const header = orFailed(() => codec.decode(bytes));
  const iss = find(header.root, ['iss']);
  const evt = find(header.root, ['evt']);
  if (evt === undefined) throw failed();
  return {
    iss: iss?.kind === 'string' ? header.text(iss) : undefined,
    evt: codec.write(header, evt).toString(),
  };
}

/** `topic/partition/offset` of header `claimseal-source`; a topic of files may hold a slash. */
function coordinatesOf(headers: SourceRecord['headers']): SealedRecord['source'] {
  const text = headers.findLast(([name]) => name === 'claimseal-source')?.[1]?.toString();
  const [, topic, partition, offset] = /^(.+)\/(\d{1,10})\/(\d{1,19})$/s.exec(text ?? '') ?? [];
  if (topic === undefined || partition === undefined || offset === undefined) return undefined;
  return { topic, partition: Number(partition), offset };
}

function toSubject(text: string): Subject {
  const subject = parseSubject(text);
  if (subject !== undefined) return subject;
  throw new ClaimsealError(
    'config.invalid',
    `expected /pointer, header:NAME, key or topic as id, got ${text}`,
    {
      remedy: 'take over `source.id` of the policy, with commas in between, or `coordinates`',
    },
  );
}

/** What the seal room says, for causes outside of it: one error for all, so that the difference tells nothing. */
function failed(): ClaimsealError {
  return new ClaimsealError('open.failed', 'the JWE does not open', {
    remedy: 'check that the keys are those of this audience and that the value is whole and in its place',
  });
}

function orFailed<T>(attempt: () => T): T {
  try {
    return attempt();
  } catch {
    throw failed();
  }
}
