/**
 * The pipeline backwards: a record as an audience finds it on its topic becomes the view that was sealed for it,
 * or one constant error. A JWE that was moved to another event, to another audience or beside another clear part
 * still decrypts; comparing `aud`, `typ`, `evt` and the clear part is what refuses it.
 */
import { agrees, createJsonCodec, find, without } from './codec/index.ts';
import { ClaimsealError } from './errors.ts';
import {
  type Coordinates,
  coordinatesEvt,
  type Event,
  type Node,
  type ObjectNode,
  type SourceRecord,
} from './event.ts';
import type { Codec } from './pipeline.ts';
import { eventId, type Pointer, parseSubject, QUARANTINE, type Subject, WILDCARD } from './policy/index.ts';
import {
  algorithms,
  encryptions,
  openCompact,
  openFailed,
  type PrivateKeySet,
  parsePrivateJwks,
} from './seal/index.ts';

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
  /**
   * Members that may be in clear, as JSON Pointers: `clear` of the policy. What else stands in clear is refused before
   * it is compared with what was sealed. Without it, who writes to the topic and sees whether a record opens can put
   * a guess of a sealed claim in clear and learn whether it is right. Not for `unlisted: clear`, whose members no list
   * names.
   */
  readonly clear?: readonly string[];
  /** Largest value, in bytes; 16 MiB unless given. */
  readonly maxBytes?: number;
}

/** A record to open. What `id` does not ask for may be left out. */
export interface SealedRecord {
  readonly value: Buffer;
  readonly key?: Buffer | null;
  readonly headers?: SourceRecord['headers'];
  /** Where the event came from; read from header `claimseal-source` unless given. */
  readonly source?: Coordinates;
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

const MAX_BYTES = 16 * 1024 * 1024;
/** As deep as any policy lets an event be. */
const MAX_DEPTH = 1000;
const HEADER_LIMITS = { maxBytes: 64 * 1024, maxDepth: 16 };

/**
 * Makes an opener for one audience.
 * @throws ClaimsealError `config.invalid` for an `id` or `clear` that is none, `keys.unreadable` when `keys` is no JWK
 *   Set, `keys.none` when no key of it can open
 */
export function createEventOpener(options: EventOpenerOptions): EventOpener {
  const { audience, id, issuer, sealedPath = ['sealed'], maxBytes = MAX_BYTES } = options;
  const { algs = algorithms, encs = encryptions } = options;
  const keys = privateKeys(options.keys, audience);
  const mayBeClear = options.clear?.map(toPointer);
  const codec = createJsonCodec({ maxBytes, maxDepth: MAX_DEPTH });
  const headerCodec = createJsonCodec(HEADER_LIMITS);
  const subjects = id === 'coordinates' ? id : id.map(toSubject);
  const evtOf = eventId(subjects);
  const needsSource = subjects === 'coordinates' || subjects.some(({ kind }) => kind === 'topic');

  const bind = (record: SealedRecord): ((event: Event) => string) => {
    const source = record.source ?? coordinatesOf(record.headers ?? []);
    if (source === undefined && needsSource) throw openFailed();
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
    if (issuer !== undefined && header.iss !== issuer) throw openFailed();

    const root = without(envelope.root, sealedPath);
    const clear: Event = { root, text: (node) => envelope.text(node) };
    const evt = bind(record);
    if (evt(view) !== header.evt || evt(clear) !== header.evt) throw openFailed();
    if (mayBeClear !== undefined && lookAt(root, mayBeClear) === 'stray') throw openFailed();
    if (!agrees(clear, root, view, view.root)) throw openFailed();
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
  /** Largest value, in bytes; 16 MiB unless given. */
  readonly maxBytes?: number;
}

/**
 * Makes an opener for quarantined records, whose value is the JWE alone.
 * @returns what was set aside, as JSON in UTF-8: coordinates, timestamp, key, value and headers in base64, code and
 *   reason; with the errors of `createEventOpener`
 */
export function createQuarantineOpener({
  keys: set,
  issuer,
  maxBytes = MAX_BYTES,
}: QuarantineOpenerOptions): EventOpener {
  const keys = privateKeys(set, QUARANTINE);
  const codec = createJsonCodec({ maxBytes, maxDepth: MAX_DEPTH });
  const headerCodec = createJsonCodec(HEADER_LIMITS);
  const open = ({ value }: SealedRecord): Buffer => {
    const jwe = value.toString('latin1');
    const header = readHeader(headerCodec, jwe);
    const options = { keys, algs: algorithms, encs: encryptions, maxBytes, aud: QUARANTINE } as const;
    const { plaintext } = openCompact(jwe, { ...options, typ: 'quarantine' });
    const kept = orFailed(() => codec.decode(plaintext));
    const evt = orFailed(() => coordinatesEvt(JSON.parse(plaintext.toString())));
    if (evt !== header.evt || (issuer !== undefined && header.iss !== issuer)) throw openFailed();
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
  if (evt === undefined) throw openFailed();
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

function toPointer(text: string): Pointer {
  if (text === '') return [];
  const subject = parseSubject(text);
  if (subject?.kind === 'pointer') return subject.pointer;
  throw new ClaimsealError('config.invalid', `expected a JSON Pointer of a clear member, got ${text}`, {
    remedy: 'take over `clear` of the policy',
  });
}

/** Whether an object holds nothing but what lies under one of the pointers. */
function membersWithin(node: ObjectNode, pointers: readonly Pointer[]): boolean {
  return node.values.every((value, k) => lookAt(value, below(pointers, node.names[k])) === 'shown');
}

/** What a clear part shows of a value; a `gap` stands for an item that is not shown, beside others that are. */
function lookAt(node: Node, pointers: readonly Pointer[]): 'shown' | 'gap' | 'stray' {
  if (pointers.some((pointer) => pointer.length === 0)) return 'shown';
  if (node.kind === 'null' || (node.kind === 'object' && node.values.length === 0)) return 'gap';
  if (node.kind === 'object') return membersWithin(node, pointers) ? 'shown' : 'stray';
  if (node.kind !== 'array') return 'stray';
  const items = node.items.map((item) => lookAt(item, below(pointers, undefined)));
  return items.includes('shown') && !items.includes('stray') ? 'shown' : 'stray';
}

/** What is left of the pointers one step down: into the member `name`, or into an item. */
function below(pointers: readonly Pointer[], name: string | undefined): readonly Pointer[] {
  return pointers
    .filter(([segment]) => segment === WILDCARD || (name !== undefined && segment === name))
    .map((pointer) => pointer.slice(1));
}

function orFailed<T>(attempt: () => T): T {
  try {
    return attempt();
  } catch {
    throw openFailed();
  }
}
