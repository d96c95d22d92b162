/**
 * The plain types that cross rooms, and the two spellings of a record's coordinates. No room imports another's
 * types for what is declared here.
 */

import { ClaimsealError, type Code } from './errors.ts';

// ---- records and events ------------------------------------------------------------------------

/** A record as it was read. Kafka's own words; `offset` and `timestamp` (ms) are decimal strings. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}

/** Where a record stands in the log. */
export type Coordinates = Pick<SourceRecord, 'topic' | 'partition' | 'offset'>;

/** `topic/partition/offset`, as in header `claimseal-source` and `--quarantine-offset`. */
export function coordinates({ topic, partition, offset }: Coordinates): string {
  return `${topic}/${partition}/${offset}`;
}

/**
 * `["topic",partition,offset]`, the header member `evt` of what is bound to coordinates.
 * @throws ClaimsealError `internal` where a source made them anything but integers: more members could hide in them
 */
export function coordinatesEvt({ topic, partition, offset }: Coordinates): string {
  if (!Number.isSafeInteger(partition) || partition < 0 || !isDecimal(offset)) {
    throw new ClaimsealError('internal', 'expected a partition and an offset that are integers from 0', {
      place: { topic },
      remedy: 'mend the source that made the record',
    });
  }
  return `[${JSON.stringify(topic)},${partition},${offset}]`;
}

function isDecimal(text: string): boolean {
  if (typeof text !== 'string' || text === '' || (text.startsWith('0') && text.length > 1)) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return false;
  }
  return true;
}

/**
 * A JSON value as a tree over the event's own bytes, so that whatever is not taken apart is copied, never
 * rewritten: numbers keep their spelling. `start` and `end` are the codec's coordinates of the value and mean
 * nothing elsewhere, except that `start === COMPOSED` marks a container that was put together from parts and
 * has no bytes of its own.
 */
export type Node = ObjectNode | ArrayNode | ScalarNode;

export interface ObjectNode {
  readonly kind: 'object';
  readonly start: number;
  readonly end: number;
  /** Decoded member names, in the event's order, each once. */
  readonly names: readonly string[];
  /** The codec's coordinates of each name; `COMPOSED` for a name that the event does not spell. */
  readonly nameStarts: readonly number[];
  readonly values: readonly Node[];
}

export interface ArrayNode {
  readonly kind: 'array';
  readonly start: number;
  readonly end: number;
  readonly items: readonly Node[];
}

export interface ScalarNode {
  readonly kind: 'string' | 'number' | 'boolean' | 'null';
  readonly start: number;
  readonly end: number;
}

export const COMPOSED = -1;

/** A decoded event. `root` is the whole of it. */
export interface Event {
  readonly root: ObjectNode;
  /** A scalar's text: a string's decoded value; a number's exact spelling; `true`, `false`, `null`. */
  text(node: ScalarNode): string;
}

// ---- policy ------------------------------------------------------------------------------------

/** One reader. `aud` stands in the JWE header: the audience's name (`NAME:ALIAS` for one alias of many). */
export interface Audience {
  readonly name: string;
  readonly aud: string;
  readonly topic: string;
  /** False for `keys: none`: it gets the clear members only. */
  readonly sealed: boolean;
}

/** What one audience may read of one event: the clear members and what is granted, each in its place. */
export interface View {
  readonly audience: Audience;
  readonly root: ObjectNode;
}

/** What is to become of one event. */
export interface Decision {
  /** The header member `evt` as JSON text: an array of strings and integers, exact. */
  readonly evt: string;
  /** What everybody may read. */
  readonly clear: ObjectNode;
  /** One for each audience that a matching grant names. */
  readonly views: readonly View[];
  /** Audiences with `keys: none`: they get `clear` as it is. */
  readonly routed: readonly Audience[];
  /** False when no grant of the policy matched. */
  readonly matched: boolean;
}

// ---- keys --------------------------------------------------------------------------------------

/** A key that was checked and may be sealed to. `material` belongs to the seal room. */
export interface RecipientKey {
  readonly kid: string | undefined;
  /** RFC 7638, SHA-256, base64url. */
  readonly thumbprint: string;
  /** The JWE `alg` it will be used with. */
  readonly alg: string;
  /** Seconds since the epoch. */
  readonly nbf: number | undefined;
  readonly exp: number | undefined;
  readonly material: object;
}

/** A JWK Set after its checks: keys that fit, in document order, and why the others do not. */
export interface ParsedKeySet {
  readonly keys: readonly RecipientKey[];
  readonly refused: readonly {
    readonly kid: string | undefined;
    readonly index: number;
    readonly reason: string;
  }[];
}

/** The key chosen for each audience, by `aud`. A new object whenever a choice changed, else the same one. */
export type KeySnapshot = ReadonlyMap<string, RecipientKey>;

// ---- outputs -----------------------------------------------------------------------------------

/** One record to be produced. The sink maps `partition`, the source's, onto the target topic. */
export interface Output {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer])[];
  readonly timestamp: string;
}

// ---- what happened -----------------------------------------------------------------------------

/** Something an operator may want to know; one notice makes the log line and the metric, so they agree. */
export type Notice =
  | { readonly type: 'state'; readonly state: 'starting' | 'running' | 'draining' | 'stopped' }
  | { readonly type: 'policy'; readonly digest: string; readonly audiences: readonly string[] }
  | {
      /** One batch delivered and committed. */
      readonly type: 'batch';
      readonly topic: string;
      readonly partition: number;
      readonly events: number;
      /** Views sealed, by audience name. */
      readonly sealed: ReadonlyMap<string, number>;
      readonly unmatched: number;
      readonly durationMs: number;
      /** Timestamp of the last record, ms. */
      readonly timestamp: number;
    }
  | {
      readonly type: 'quarantined';
      readonly code: Code;
      readonly topic: string;
      readonly partition: number;
      readonly offset: string;
      /** The error's message: names places of policy and cluster, never anything of the event. */
      readonly reason: string;
    }
  | {
      readonly type: 'key';
      readonly change: 'found' | 'chosen' | 'gone' | 'refused';
      readonly audience: string;
      readonly kid: string | undefined;
      readonly thumbprint: string | undefined;
      readonly reason?: string;
    }
  | {
      /** A key set that could not be read or parsed; the last good one stays until `maxStale`. */
      readonly type: 'keysStale';
      readonly audience: string;
      readonly sinceMs: number;
      readonly reason: string;
    }
  | {
      readonly type: 'contentKey';
      readonly audience: string;
      readonly change: 'made' | 'retired';
      readonly reason?: 'messages' | 'bytes' | 'age' | 'recipient' | 'closed';
    }
  | {
      readonly type: 'assigned';
      readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
    }
  | {
      readonly type: 'session';
      readonly change: 'opened' | 'closed';
      readonly topic: string;
      readonly partition: number;
      readonly position?: string;
    }
  | { readonly type: 'lag'; readonly topic: string; readonly partition: number; readonly lag: number }
  | {
      readonly type: 'retry';
      readonly code: Code;
      readonly reason: string;
      readonly attempt: number;
      readonly delayMs: number;
    }
  | { readonly type: 'warning'; readonly message: string };

/** Takes notices; never throws. */
export type Observe = (notice: Notice) => void;
