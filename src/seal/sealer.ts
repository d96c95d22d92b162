/** Seals plaintexts into compact JWE (RFC 7516 sections 5.1 and 7.1), one audience at a time, synchronously. */
import { ClaimsealError } from '../errors.ts';
import type { KeySnapshot, Observe, RecipientKey } from '../event.ts';
import type { Sealer } from '../pipeline.ts';
import { ALGS, ENCS } from './algorithms.ts';
import { ContentKey, LIMITS, type Limits, type Retirement } from './content-key.ts';
import { headerPrefix, MAX_HEADER_BYTES, TYPS, type Typ } from './header.ts';
import { reveal } from './material.ts';

/** How one audience is sealed for. */
export interface Recipient {
  readonly aud: string;
  /** The audience's name, for notices. */
  readonly name: string;
  readonly typ: Typ;
  readonly enc: string;
  /** Plaintexts are filled up with JSON white space to a multiple of it; 1 leaves them as they are. */
  readonly pad: number;
  /** False wraps a content key of its own for each message. */
  readonly reuse: boolean;
}

export interface SealerOptions {
  readonly issuer: string;
  readonly recipients: readonly Recipient[];
  readonly observe: Observe;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** What belongs to one content key: all of a JWE that stays the same while it is used. */
interface Prepared {
  readonly contentKey: ContentKey;
  /** base64url of the header up to `evt`, as text and as bytes of the AAD. */
  readonly prefix: string;
  readonly prefixBytes: Buffer;
  readonly headerBytes: number;
  /** The encrypted key between its dots. */
  readonly wrapped: string;
}

/**
 * Makes a sealer. `use` settles keys, `seal` makes a JWE; neither waits.
 *
 * `seal` throws `keys.none` for an audience without a key in the snapshot last used, `event.id` when `evt` makes the
 * header longer than readers accept, `seal.exhausted` when a content key has no IV left.
 */
export function createSealer(options: SealerOptions): Sealer & { close(): void } {
  return createSealerWithin(LIMITS, options);
}

/** The same with other limits: for tests inside the room, not exported from it. */
export function createSealerWithin(limits: Limits, options: SealerOptions): Sealer & { close(): void } {
  const { issuer, recipients, observe, now = () => performance.now() } = options;
  const lanes = new Map(
    recipients.map((recipient) => [recipient.aud, new Lane(issuer, recipient, limits, now, observe)]),
  );
  let snapshot: KeySnapshot | undefined;
  // Content keys are retired without traffic too; a key is looked at again by its next use in any case.
  const sweep = setInterval(
    () => {
      for (const lane of lanes.values()) lane.sweep();
    },
    Math.max(1, Math.min(1000, limits.ageMs)),
  );
  sweep.unref();

  return {
    use(keys) {
      if (keys === snapshot) return;
      for (const lane of lanes.values()) lane.use(keys.get(lane.aud));
      snapshot = keys;
    },
    seal(aud, evt, plaintext) {
      const lane = lanes.get(aud);
      if (lane === undefined) throw noKey(aud);
      return lane.seal(evt, plaintext);
    },
    close() {
      clearInterval(sweep);
      for (const lane of lanes.values()) lane.close();
    },
  };
}

/** One audience's recipient key and the content key in use for it. */
class Lane {
  readonly aud: string;
  readonly #issuer: string;
  readonly #recipient: Recipient;
  readonly #limits: Limits;
  readonly #now: () => number;
  readonly #observe: Observe;
  #key: RecipientKey | undefined;
  #prepared: Prepared | undefined;

  constructor(issuer: string, recipient: Recipient, limits: Limits, now: () => number, observe: Observe) {
    if (ENCS[recipient.enc] === undefined) {
      throw new ClaimsealError('config.invalid', `enc of audience ${recipient.name} is not supported`, {
        place: { audience: recipient.name },
        remedy: `use one of ${Object.keys(ENCS).join(', ')}`,
      });
    }
    this.aud = recipient.aud;
    this.#issuer = issuer;
    this.#recipient = recipient;
    this.#limits = limits;
    this.#now = now;
    this.#observe = observe;
  }

  use(key: RecipientKey | undefined): void {
    const same =
      key?.thumbprint === this.#key?.thumbprint && key?.alg === this.#key?.alg && key?.kid === this.#key?.kid;
    this.#key = key;
    if (!same) this.#retire('recipient');
  }

  seal(evt: string, plaintext: Buffer): string {
    const length = paddedLength(plaintext.length, this.#recipient.pad);
    const prepared = this.#preparedFor(length);
    return writeCompact(prepared, evt, padded(plaintext, length));
  }

  sweep(): void {
    const reason = this.#prepared?.contentKey.spent(0, this.#now());
    if (reason !== undefined) this.#retire(reason);
  }

  close(): void {
    this.#key = undefined;
    this.#retire('closed');
  }

  #preparedFor(bytes: number): Prepared {
    if (this.#prepared !== undefined) {
      const reason = this.#prepared.contentKey.spent(bytes, this.#now());
      if (reason === undefined) return this.#prepared;
      this.#retire(reason);
    }
    if (this.#key === undefined) throw noKey(this.#recipient.name);
    const prepared = this.#open(this.#key);
    if (this.#recipient.reuse) {
      this.#prepared = prepared;
      this.#observe({ type: 'contentKey', audience: this.#recipient.name, change: 'made' });
    }
    return prepared;
  }

  #open({ alg, kid, material }: RecipientKey): Prepared {
    const { aud, enc, typ } = this.#recipient;
    const { key, kind } = reveal(material);
    const cipher = ENCS[enc]!;
    const wrapped = ALGS[alg]!.wrap(key, kind, enc, cipher.keyBytes);
    const prefix = headerPrefix({
      alg,
      enc,
      ...(kid === undefined ? {} : { kid }),
      typ: TYPS[typ],
      cty: 'json',
      iss: this.#issuer,
      aud,
      ...wrapped.header,
    });
    const text = prefix.toString('base64url');
    return {
      contentKey: new ContentKey(cipher, wrapped.contentKey, this.#now(), this.#limits),
      prefix: text,
      prefixBytes: Buffer.from(text, 'latin1'),
      headerBytes: prefix.length,
      wrapped: `.${wrapped.encryptedKey.toString('base64url')}.`,
    };
  }

  #retire(reason: Retirement): void {
    if (this.#prepared === undefined) return;
    this.#prepared = undefined;
    this.#observe({ type: 'contentKey', audience: this.#recipient.name, change: 'retired', reason });
  }
}

// Scratch space. Everything is synchronous, so one of each is enough; what does not fit gets its own.
const evtScratch = Buffer.alloc(MAX_HEADER_BYTES);
const aadScratch = Buffer.alloc(Math.ceil((MAX_HEADER_BYTES * 4) / 3) + 4);
const padScratch = Buffer.alloc(256 * 1024);

/** Concatenating strings of the parts was measured a few per cent faster than writing all of them into one buffer. */
function writeCompact(
  { contentKey, prefix, prefixBytes, headerBytes, wrapped }: Prepared,
  evt: string,
  plaintext: Buffer,
): string {
  // a UTF-16 unit is at most 3 bytes: only what could be too long is measured
  if (
    evt.length * 3 + headerBytes >= MAX_HEADER_BYTES &&
    Buffer.byteLength(evt) + headerBytes >= MAX_HEADER_BYTES
  ) {
    throw new ClaimsealError(
      'event.id',
      `the event's id makes a header longer than ${MAX_HEADER_BYTES} bytes`,
      {
        remedy: 'bind the event by shorter members (`source.id`)',
      },
    );
  }
  const evtBytes = evtScratch.write(evt, 'utf8');
  evtScratch[evtBytes] = 0x7d; // the brace that closes the header
  const suffix = evtScratch.toString('base64url', 0, evtBytes + 1);
  const prefixLength = prefixBytes.copy(aadScratch);
  const aad = aadScratch.subarray(0, prefixLength + aadScratch.write(suffix, prefixLength, 'latin1'));
  const { iv, ciphertext, tag } = contentKey.encrypt(aad, plaintext);
  return `${prefix}${suffix}${wrapped}${iv.toString('base64url')}.${ciphertext.toString('base64url')}.${tag.toString('base64url')}`;
}

function paddedLength(length: number, pad: number): number {
  return pad <= 1 ? length : Math.ceil(length / pad) * pad;
}

/** Copies once, and only when something is to be added. */
function padded(plaintext: Buffer, length: number): Buffer {
  if (length === plaintext.length) return plaintext;
  const target =
    length <= padScratch.length ? padScratch.subarray(0, length) : Buffer.allocUnsafeSlow(length);
  plaintext.copy(target);
  target.fill(0x20, plaintext.length);
  return target;
}

function noKey(audience: string): ClaimsealError {
  return new ClaimsealError('keys.none', `no key to seal to for audience ${audience}`, {
    place: { audience },
    remedy: 'put a fitting key first into the JWK Set of the audience',
  });
}
