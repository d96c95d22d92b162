/** One audience's key set as time goes by: what was read last, what is good of it, and which key is chosen. */
import { ClaimsealError } from '../errors.ts';
import type { Observe, ParsedKeySet, RecipientKey } from '../event.ts';
import { type Choice, choose, outsideValidity, type Seen } from './choice.ts';
import type { Reading } from './key-file.ts';

/** Where an audience's keys are and what rules they follow. */
export interface KeySource {
  readonly aud: string;
  /** The audience's name, for notices and errors. */
  readonly name: string;
  /** Path of its JWK Set. */
  readonly file: string;
  readonly alg?: string | undefined;
  readonly symmetric: boolean;
  /** How long a newly seen key waits before it is sealed to. */
  readonly activateAfterMs: number;
  /** How long the last good set is used while the file cannot be read or parsed. */
  readonly maxStaleMs: number;
  readonly refreshMs: number;
}

export type Parse = (
  bytes: Buffer,
  use: { readonly alg?: string | undefined; readonly symmetric: boolean },
) => ParsedKeySet;

/** Now, by two clocks: milliseconds since the epoch for what keys say, steady ones for how long something lasts. */
export interface Instant {
  readonly wallMs: number;
  readonly steadyMs: number;
}

export class KeySet {
  readonly source: KeySource;
  readonly #parse: Parse;
  readonly #observe: Observe;
  #begun = false;
  #bytes: Buffer | undefined;
  #seen: readonly Seen[] = [];
  /** Keys of a set that vanished whole less than `activateAfter` ago: a file removed and written again has no new keys. */
  readonly #parted = new Map<string, { readonly sinceMs: number; readonly goneMs: number }>();
  #refused: ParsedKeySet['refused'] = [];
  #gone = false;
  #failure: string | undefined;
  /** By the steady clock: whoever sets the other one back must not lengthen `maxStale`. */
  #goodAtMs = 0;
  #choice: Choice | undefined;
  #chosen: RecipientKey | undefined;

  constructor(source: KeySource, parse: Parse, observe: Observe) {
    this.source = source;
    this.#parse = parse;
    this.#observe = observe;
  }

  /**
   * The first reading: there is no earlier set to keep, so all that is wrong with it is thrown.
   * @throws ClaimsealError `keys.unreadable`
   */
  begin(reading: Reading, now: Instant): void {
    const { name, file } = this.source;
    this.take(reading, now);
    this.#begun = true;
    const found = this.#gone ? 'the file does not exist' : this.#failure;
    if (found !== undefined) {
      throw new ClaimsealError('keys.unreadable', `audience ${name}: no JWK Set in ${file}: ${found}`, {
        place: { audience: name, file },
        remedy:
          "put the audience's public JWK Set there, readable by this process; `claimseal keygen` makes one",
      });
    }
  }

  /** Takes in what the file is now. Never throws: what is wrong shows in `choose`. */
  take(reading: Reading, now: Instant): void {
    this.#choice = undefined;
    this.#gone = reading.state === 'gone';
    if (reading.state === 'gone') {
      this.#failure = undefined;
      // should it come back with the same bytes, it is a set seen anew
      this.#bytes = undefined;
      this.#replace({ keys: [], refused: [] }, now.wallMs);
    } else if (reading.state === 'unreadable') {
      this.#fail(reading.reason, now);
    } else if (this.#bytes?.equals(reading.bytes) && this.#failure === undefined) {
      this.#goodAtMs = now.steadyMs;
    } else {
      this.#read(reading.bytes, now);
    }
  }

  /**
   * The key to seal to, or what halts, for the caller to throw: `keys.none` when the set has no fitting key or is gone,
   * `keys.stale` when the last good one is too old.
   */
  choose({ wallMs: nowMs, steadyMs }: Instant): RecipientKey | ClaimsealError {
    const { name, file, maxStaleMs, activateAfterMs } = this.source;
    const staleMs = steadyMs - this.#goodAtMs;
    if (this.#failure !== undefined && staleMs > maxStaleMs) {
      return new ClaimsealError(
        'keys.stale',
        `audience ${name}: ${file} could not be read for ${Math.round(staleMs / 1000)} s, longer than maxStale: ${this.#failure}`,
        { place: { audience: name, file }, remedy: 'make the file a readable JWK Set again' },
      );
    }
    if (this.#choice === undefined || nowMs >= this.#choice.untilMs) {
      this.#choice = choose(this.#seen, activateAfterMs, nowMs);
    }
    const { key } = this.#choice;
    if (key === undefined) return this.#none(nowMs);
    if (key !== this.#chosen) {
      this.#chosen = key;
      this.#tell('chosen', key);
    }
    return key;
  }

  #read(bytes: Buffer, now: Instant): void {
    const { alg, symmetric } = this.source;
    let parsed: ParsedKeySet;
    try {
      parsed = this.#parse(bytes, { alg, symmetric });
    } catch (error) {
      this.#fail(error instanceof ClaimsealError ? error.message : 'the keys could not be checked', now);
      return;
    }
    const recovered = this.#failure !== undefined;
    this.#goodAtMs = now.steadyMs;
    this.#failure = undefined;
    this.#replace(parsed, now.wallMs);
    this.#bytes = bytes;
    const [head] = this.#seen;
    if (recovered && head !== undefined) this.#tell('found', head.key, 'the set can be read again');
  }

  #fail(reason: string, { steadyMs }: Instant): void {
    this.#failure = reason;
    if (!this.#begun) return;
    this.#observe({
      type: 'keysStale',
      audience: this.source.name,
      sinceMs: steadyMs - this.#goodAtMs,
      reason,
    });
  }

  #replace({ keys, refused }: ParsedKeySet, nowMs: number): void {
    const before = this.#seen;
    this.#seen = keys.map((key) => {
      const earlier = before.find((seen) => seen.key.thumbprint === key.thumbprint);
      // the same key stays the same object, so that a rewritten file alone makes no new snapshot
      if (earlier !== undefined) return { ...earlier, key: same(earlier.key, key) ? earlier.key : key };
      this.#tell('found', key);
      const known = this.#parted.get(key.thumbprint);
      this.#parted.delete(key.thumbprint);
      return { key, sinceMs: this.#begun ? (known?.sinceMs ?? nowMs) : Number.NEGATIVE_INFINITY };
    });
    for (const { key, sinceMs } of before) {
      if (keys.some(({ thumbprint }) => thumbprint === key.thumbprint)) continue;
      this.#tell('gone', key);
      if (keys.length === 0) this.#parted.set(key.thumbprint, { sinceMs, goneMs: nowMs });
    }
    for (const [thumbprint, { goneMs }] of this.#parted) {
      if (nowMs - goneMs > this.source.activateAfterMs) this.#parted.delete(thumbprint);
    }
    const told = new Set(this.#refused.map(refusal));
    this.#refused = refused;
    for (const one of refused) {
      if (!told.has(refusal(one)))
        this.#tell('refused', { kid: one.kid, thumbprint: undefined }, refusal(one));
    }
  }

  #tell(
    change: 'found' | 'chosen' | 'gone' | 'refused',
    { kid, thumbprint }: { readonly kid: string | undefined; readonly thumbprint: string | undefined },
    reason?: string,
  ): void {
    const notice = { type: 'key', change, audience: this.source.name, kid, thumbprint } as const;
    this.#observe(reason === undefined ? notice : { ...notice, reason });
  }

  #none(nowMs: number): ClaimsealError {
    const { name, file } = this.source;
    this.#chosen = undefined;
    const reasons = [
      ...this.#seen.map(
        ({ key }) => `key ${JSON.stringify(key.kid ?? key.thumbprint)}: ${outsideValidity(key, nowMs)}`,
      ),
      ...this.#refused.map(refusal),
    ];
    const found = this.#gone
      ? 'the file is gone'
      : reasons.length > 0
        ? reasons.join('; ')
        : 'the set is empty';
    return new ClaimsealError('keys.none', `audience ${name}: no key to seal to in ${file}: ${found}`, {
      place: { audience: name, file },
      remedy: `put a fitting public key into ${file}, then start again; until then the other audiences can run with --audience`,
    });
  }
}

function refusal({ index, kid, reason }: ParsedKeySet['refused'][number]): string {
  return `key ${index}${kid === undefined ? '' : ` (kid ${JSON.stringify(kid)})`}: ${reason}`;
}

function same(a: RecipientKey, b: RecipientKey): boolean {
  return a.kid === b.kid && a.alg === b.alg && a.nbf === b.nbf && a.exp === b.exp;
}
