/**
 * Every error claimseal raises, in one closed table. A code fixes what happens next:
 *
 * - `retry`: the world is at fault (broker, network, key endpoint); back off, commit nothing, try again.
 * - `deadLetter`: this record is bad; it is sealed to the quarantine key and the stream goes on.
 * - `halt`: going on would be wrong for every record; stop, leave offsets where they are, exit not zero.
 *
 * Codes are also metric labels and log fields, so the set is closed and no code carries a value.
 */
export type Disposition = 'retry' | 'deadLetter' | 'halt';

export const CODES = {
  // a record that cannot be read as an event
  'event.notUtf8': 'deadLetter',
  'event.notJson': 'deadLetter',
  'event.notObject': 'deadLetter',
  'event.tooLarge': 'deadLetter',
  'event.tooDeep': 'deadLetter',
  'event.duplicateMember': 'deadLetter',
  'event.loneSurrogate': 'deadLetter',
  // an event that the policy cannot plan
  'event.unlisted': 'deadLetter',
  'event.unmatched': 'deadLetter',
  'event.shape': 'deadLetter',
  'event.id': 'deadLetter',
  'event.sealedMember': 'deadLetter',
  // an event whose outputs cannot be produced
  'output.tooLarge': 'deadLetter',
  'output.nullKey': 'deadLetter',
  'output.timestamp': 'deadLetter',
  // set aside by the operator
  'operator.setAside': 'deadLetter',
  // the world
  'kafka.unavailable': 'retry',
  'kafka.session': 'retry',
  'kafka.corrupt': 'retry',
  // configuration, policy, keys
  'config.invalid': 'halt',
  'config.unreadable': 'halt',
  'keys.none': 'halt',
  'keys.stale': 'halt',
  'keys.unreadable': 'halt',
  'seal.selfTest': 'halt',
  'seal.exhausted': 'halt',
  'kafka.credentials': 'halt',
  'kafka.plaintext': 'halt',
  'kafka.topic': 'halt',
  'kafka.partitions': 'halt',
  'kafka.gap': 'halt',
  'kafka.compression': 'halt',
  'kafka.version': 'halt',
  'kafka.refused': 'halt',
  'quarantine.missing': 'halt',
  'quarantine.share': 'halt',
  'quarantine.refused': 'halt',
  'file.unreadable': 'halt',
  'file.unwritable': 'halt',
  // opening: one code for every cryptographic cause, so that nothing can be learnt from the difference
  'open.failed': 'deadLetter',
  'open.notSealed': 'deadLetter',
  // anything nobody thought of
  internal: 'halt',
} as const satisfies Record<string, Disposition>;

export type Code = keyof typeof CODES;

/** Where in the world an error arose. Never a claim value, key byte, JWE, tenant value or event id. */
export interface Place {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: string;
  readonly audience?: string;
  readonly kid?: string;
  readonly file?: string;
  /** The policy's own pointer, never a member name taken from an event. */
  readonly pointer?: string;
}

/**
 * The one error class. `message` says what was expected and what was found; `remedy` what to do about it.
 * `cause` is for a debugger only: it is never logged, since a library's message may quote a value.
 */
export class ClaimsealError extends Error {
  override readonly name = 'ClaimsealError';
  readonly code: Code;
  readonly place: Place;
  readonly remedy: string | undefined;

  constructor(code: Code, message: string, more: { place?: Place; remedy?: string; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.place = more.place ?? {};
    this.remedy = more.remedy;
  }

  get disposition(): Disposition {
    return CODES[this.code];
  }
}

/** One mistake in a configuration. */
export interface Mistake {
  /** Where, as a path into the document: `audiences.payroll.topic`. */
  readonly path: string;
  readonly expected: string;
  readonly got: string;
  readonly hint?: string;
}

/** All mistakes of a configuration at once. */
export class ConfigError extends ClaimsealError {
  readonly mistakes: readonly Mistake[];

  constructor(file: string, mistakes: readonly Mistake[]) {
    super(
      'config.invalid',
      `${file}: ${mistakes.length} mistake${mistakes.length === 1 ? '' : 's'}\n${mistakes
        .map((m) => `  ${m.path}: expected ${m.expected}, got ${m.got}${m.hint ? ` (${m.hint})` : ''}`)
        .join('\n')}`,
      { place: { file }, remedy: 'mend the lines named and run `claimseal check`' },
    );
    this.mistakes = mistakes;
  }
}

/** Anything thrown, as a ClaimsealError: what nobody thought of is `internal`, which halts. */
export function asClaimsealError(error: unknown): ClaimsealError {
  if (error instanceof ClaimsealError) return error;
  const name = error instanceof Error ? error.name : typeof error;
  return new ClaimsealError('internal', `unexpected ${name}`, {
    cause: error,
    remedy: 'report it with the output of --debug; nothing was committed past it',
  });
}
