/**
 * What a kafkajs error means for the stream. A session ends at any error, so only one question is left: would
 * trying again be pointless until somebody changes something (halt), or not (retry)?
 */
import { ClaimsealError, type Place } from '../errors.ts';

interface Failure {
  readonly name?: string;
  readonly type?: string;
  readonly code?: string | number;
  readonly cause?: unknown;
  readonly originalError?: unknown;
  /** `host:port`, of connection errors. */
  readonly broker?: unknown;
  /** Of KafkaJSAggregateError. */
  readonly errors?: readonly unknown[];
}

/** Protocol errors (Kafka's own names) and Node's TLS codes that no retry mends. */
const HALTS = new Map<
  string,
  { code: 'kafka.credentials' | 'kafka.topic' | 'config.invalid'; remedy: string }
>([
  ...(
    [
      ['SASL_AUTHENTICATION_FAILED', 'check kafka.sasl.username and kafka.sasl.password'],
      ['KafkaJSSASLAuthenticationError', 'check kafka.sasl: mechanism, username and password'],
      ['UNSUPPORTED_SASL_MECHANISM', 'check kafka.sasl.mechanism against the listener'],
      [
        'TOPIC_AUTHORIZATION_FAILED',
        'grant Read on the source topics, Write and Describe on the target topics, Create with kafka.createTopics',
      ],
      ['GROUP_AUTHORIZATION_FAILED', 'grant Read on the consumer group'],
      [
        'CLUSTER_AUTHORIZATION_FAILED',
        'grant IdempotentWrite on the cluster, Create with kafka.createTopics',
      ],
      [
        'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
        'grant Write and Describe on transactional ids with prefix claimseal/',
      ],
      ['DEPTH_ZERO_SELF_SIGNED_CERT', 'name the broker CA in kafka.ssl.ca'],
      ['SELF_SIGNED_CERT_IN_CHAIN', 'name the broker CA in kafka.ssl.ca'],
      ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'name the broker CA in kafka.ssl.ca'],
      ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'name the broker CA in kafka.ssl.ca'],
      ['CERT_HAS_EXPIRED', 'renew the broker certificate'],
      ['ERR_TLS_CERT_ALTNAME_INVALID', 'use a host name that the broker certificate names'],
    ] as const
  ).map(([name, remedy]) => [name, { code: 'kafka.credentials', remedy }] as const),
  [
    'INVALID_RECORD',
    {
      code: 'kafka.topic',
      remedy:
        'a compacted topic takes no record without a key: set cleanup.policy=delete, or pass the key on',
    },
  ],
  ['INVALID_TRANSACTION_TIMEOUT', { code: 'config.invalid', remedy: 'lower kafka.transactionTimeout' }],
  [
    'INVALID_SESSION_TIMEOUT',
    { code: 'config.invalid', remedy: 'keep kafka.sessionTimeout within the broker limits' },
  ],
]);

const AWAY = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSBrokerNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSRequestTimeoutError',
]);

/** Turns anything thrown by kafkajs into a ClaimsealError; its own message may quote a value and is not kept. */
export function kafkaFailure(thrown: unknown, place: Place = {}): ClaimsealError {
  if (thrown instanceof ClaimsealError) return thrown;
  const names: string[] = [];
  let broker = '';
  for (const e of causes(thrown)) {
    if (e instanceof ClaimsealError) return e;
    if (typeof e.broker === 'string') broker = ` (${e.broker})`;
    for (const name of [e.type, typeof e.code === 'string' ? e.code : undefined, e.name]) {
      if (name !== undefined && name !== 'Error') names.push(name);
    }
  }
  for (const name of names) {
    const halt = HALTS.get(name);
    if (halt)
      return new ClaimsealError(halt.code, `the broker refused: ${name}${broker}`, {
        place,
        remedy: halt.remedy,
        cause: thrown,
      });
  }
  const code = names.some((n) => AWAY.has(n)) ? 'kafka.unavailable' : 'kafka.session';
  const specific = names.find((n) => !n.startsWith('KafkaJS')) ?? names.at(-1) ?? 'unknown error';
  return new ClaimsealError(code, `${specific}${broker}`, { place, cause: thrown });
}

const TOPIC_FAILURES: ReadonlySet<string | undefined> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

/** Whether the topic or its limits may have changed under a running session. */
export function isTopicFailure(thrown: unknown): boolean {
  return [...causes(thrown)].some(({ type }) => TOPIC_FAILURES.has(type));
}

/** The error and what it says it came from; not for ever, since one may name itself. */
function* causes(thrown: unknown, depth = 0): Generator<Failure> {
  if (!isFailure(thrown) || depth === 8) return;
  yield thrown;
  for (const error of thrown.errors ?? []) yield* causes(error, depth + 1);
  yield* causes(thrown.cause ?? thrown.originalError, depth + 1);
}

function isFailure(e: unknown): e is Failure {
  return typeof e === 'object' && e !== null;
}

/** Refusals that pass by themselves seldom: a clock that is ahead, a limit that somebody is about to raise. */
const STUBBORN: ReadonlySet<string | undefined> = new Set([
  'INVALID_TIMESTAMP',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'CORRUPT_MESSAGE',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
]);
const STRIKES = 6;

/**
 * Counts failures that only a change elsewhere can mend, for each place, until something succeeds there; gives up on
 * them in the end.
 */
export class Strikes {
  readonly #counts = new Map<string, number>();

  /** The error as it is, or what halts after some like it. */
  judge(place: string, error: ClaimsealError): ClaimsealError {
    if (!isStubborn(error)) return error;
    const count = (this.#counts.get(place) ?? 0) + 1;
    this.#counts.set(place, count);
    if (count < STRIKES) return error;
    const remedy = isFault(error)
      ? 'report it with the output of --debug; nothing was committed past it'
      : 'compare the limits of the topics with what is read; nothing was committed past it';
    return new ClaimsealError('kafka.refused', `${error.message}, ${count} times without a success`, {
      place: error.place,
      remedy: error.remedy ?? remedy,
      cause: error.cause,
    });
  }

  clear(place: string): void {
    this.#counts.delete(place);
  }
}

function isStubborn(error: ClaimsealError): boolean {
  if (error.code === 'kafka.corrupt' || isFault(error)) return true;
  return [...causes(error.cause)].some(({ type }) => STUBBORN.has(type));
}

/** A bug, of kafkajs or of ours; not what kafkajs stumbles over while a broker is away. */
function isFault(error: ClaimsealError): boolean {
  const found = [...causes(error.cause)];
  return (
    found.some((e) => e instanceof TypeError || e instanceof RangeError || e instanceof ReferenceError) &&
    !found.some(({ name }) => name !== undefined && AWAY.has(name))
  );
}
