/**
 * One partition's worker, from a group join until the next: opens a session, lets the consumer fetch from the
 * session's position, has the fetch processed, and so on. Every failure that may pass ends the session and
 * begins again with a new one, so there is a single path for every recovery.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Batch as FetchedBatch, KafkaMessage } from 'kafkajs';
import { asClaimsealError, ClaimsealError } from '../errors.ts';
import type { Observe, Output, SourceRecord } from '../event.ts';
import type { Batch } from '../pipeline.ts';
import type { GroupCommit, Session, Slot } from './session.ts';

/** A batch of this room: it knows how to be delivered. */
export interface KafkaBatch extends Batch {
  deliver(outputs: readonly (readonly Output[])[]): Promise<void>;
}

/** What a fetch brought: `next` is the offset behind everything it covered, control records included. */
export interface Fetch {
  /** Where the fetch began. */
  readonly from: bigint;
  readonly messages: readonly KafkaMessage[];
  readonly next: bigint;
  readonly highWatermark: bigint;
}

export interface LogRange {
  readonly low: bigint;
  readonly high: bigint;
}

export interface WorkerPorts {
  readonly openSession: (slot: Slot) => Promise<Session>;
  /** Positions the consumer and lets it fetch this partition; until then the partition is paused. */
  readonly fetchFrom: (slot: Slot, offset: bigint) => void;
  /** The first offset the broker still has, and the one behind the last. */
  readonly range: (slot: Slot) => Promise<LogRange>;
  readonly commit: GroupCommit;
  /** Offsets at and beyond this one are left alone; undefined without `--until-end`. */
  readonly end: (slot: Slot) => bigint | undefined;
  readonly acceptGap: boolean;
  readonly each: (batch: KafkaBatch) => Promise<void>;
  /** Called where a session begins, and after each commit with what the fetch knew of the end of the log. */
  readonly moved: (slot: Slot, position: bigint, highWatermark: bigint | undefined) => void;
  /** The error as it is, or what halts after too many like it without a move. */
  readonly judge: (error: ClaimsealError) => ClaimsealError;
  /** Called before a session is opened again after an error. */
  readonly recover: (error: ClaimsealError) => Promise<void>;
  readonly halt: (error: ClaimsealError) => void;
  readonly observe: Observe;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

export class PartitionWorker {
  readonly slot: Slot;
  readonly #ports: WorkerPorts;
  readonly #closed = new AbortController();
  /** The batch being processed, until it is committed or has failed. */
  #inHand: Promise<unknown> = Promise.resolve();
  #take: ((fetch: Fetch | undefined) => void) | undefined;
  readonly #after: Promise<void> | undefined;

  /** @param after what is waited for before anything: the worker in whose place this one comes */
  constructor(slot: Slot, ports: WorkerPorts, after: Promise<void> | undefined) {
    this.slot = slot;
    this.#ports = ports;
    this.#after = after;
    void this.#run(after);
  }

  /** Resolves when the batch in hand, if any, is committed or has failed, and those of the workers before it. */
  async drained(): Promise<void> {
    await this.#after;
    await this.#inHand.catch(() => {});
  }

  /** Hands over what the consumer fetched. What nobody waits for is dropped: it will be fetched again. */
  offer(fetch: Fetch): void {
    const take = this.#take;
    this.#take = undefined;
    take?.(fetch);
  }

  /** Takes nothing more; a batch in hand is finished. */
  close(): void {
    this.#closed.abort();
    this.#take?.(undefined);
    this.#take = undefined;
  }

  async #run(after: Promise<void> | undefined): Promise<void> {
    const { signal } = this.#closed;
    await after;
    for (let attempt = 0; !signal.aborted; ) {
      try {
        await this.#session(() => {
          attempt = 0;
        });
      } catch (thrown) {
        const error = this.#ports.judge(asClaimsealError(thrown));
        if (error.disposition !== 'retry') return this.#ports.halt(error);
        if (signal.aborted) return;
        const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (0.75 + Math.random() / 2);
        attempt += 1;
        this.#ports.observe({
          type: 'retry',
          code: error.code,
          reason: error.message,
          attempt,
          delayMs: Math.round(delayMs),
        });
        await delay(delayMs, undefined, { signal }).catch(() => {});
        if (signal.aborted) return;
        try {
          await this.#ports.recover(error);
        } catch (again) {
          const fatal = asClaimsealError(again);
          if (fatal.disposition !== 'retry') return this.#ports.halt(fatal);
        }
      }
    }
  }

  async #session(succeeded: () => void): Promise<void> {
    const { slot } = this;
    const { openSession, observe, fetchFrom, range, end } = this.#ports;
    const session = await openSession(slot);
    try {
      let position =
        session.position === undefined ? (await range(slot)).low : await this.#withinLog(session.position);
      observe({ type: 'session', change: 'opened', ...slot, position: position.toString() });
      this.#ports.moved(slot, position, undefined);
      while (!this.#closed.signal.aborted) {
        const stopAt = end(slot);
        if (stopAt !== undefined && position >= stopAt) return await this.#idle();
        const fetched = this.#next();
        fetchFrom(slot, position);
        const fetch = await fetched;
        if (fetch === undefined) return;
        if (fetch.from > position) {
          position = await this.#withinLog(position);
          continue;
        }
        const inHand = this.#process(session, fetch, position, stopAt);
        this.#inHand = inHand;
        position = await inHand;
        succeeded();
      }
    } finally {
      await session.close();
      observe({ type: 'session', change: 'closed', ...slot });
    }
  }

  #next(): Promise<Fetch | undefined> {
    return new Promise((resolve) => {
      this.#take = resolve;
      if (this.#closed.signal.aborted) this.close();
    });
  }

  #idle(): Promise<void> {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async #process(
    session: Session,
    fetch: Fetch,
    position: bigint,
    stopAt: bigint | undefined,
  ): Promise<bigint> {
    const { slot } = this;
    const { each, commit, moved } = this.#ports;
    const next = stopAt !== undefined && fetch.next > stopAt ? stopAt : fetch.next;
    if (next <= position) return position;
    const messages = fetch.messages.filter(
      ({ offset }) => BigInt(offset) >= position && BigInt(offset) < next,
    );
    const deliver: KafkaBatch['deliver'] = (outputs) =>
      session.deliver(outputs, (index) => BigInt(messages[index]!.offset) + 1n, next, commit);
    if (messages.length === 0) await deliver([]);
    else await each({ ...slot, records: messages.map((m) => toRecord(slot, m)), deliver });
    if (session.position !== next) {
      throw new ClaimsealError('internal', 'a batch was neither delivered nor refused', { place: slot });
    }
    moved(slot, next, fetch.highWatermark);
    return next;
  }

  /** `position`, or the first offset left where retention was faster and the operator accepts the gap. */
  async #withinLog(position: bigint): Promise<bigint> {
    const { slot } = this;
    const { range, acceptGap, observe } = this.#ports;
    const name = `${slot.topic}/${slot.partition}`;
    const place = { ...slot, offset: position.toString() };
    let { low, high } = await range(slot);
    // A new leader may not know its high watermark yet.
    for (let tries = 0; position > high && tries < 6; tries += 1) {
      await delay(500, undefined, { signal: this.#closed.signal }).catch(() => {});
      if (this.#closed.signal.aborted) return position; // nothing was looked at again
      ({ low, high } = await range(slot));
    }
    if (position > high) {
      throw new ClaimsealError(
        'kafka.gap',
        `expected offset ${position} of ${name}, found ${high} as the end: the topic was made anew, or lost its end to an unclean election`,
        {
          place,
          remedy: 'start with another kafka.groupId, or reset the group to an offset the topic has',
        },
      );
    }
    if (low <= position) return position;
    if (acceptGap) {
      observe({
        type: 'warning',
        message: `gap accepted: offsets ${position} to ${low - 1n} of ${name} are gone`,
      });
      return low;
    }
    throw new ClaimsealError(
      'kafka.gap',
      `expected offset ${position} of ${name}, found ${low} as the first: retention removed ${position} to ${low - 1n} before they were read`,
      {
        place,
        remedy: 'start with --accept-gap to go on behind the gap, and lengthen retention.ms of the source',
      },
    );
  }
}

/** A kafkajs batch as a Fetch: its `fetchedOffset` is not in kafkajs's types. */
export function toFetch(batch: FetchedBatch): Fetch {
  const from = BigInt((batch as FetchedBatch & { readonly fetchedOffset: string | number }).fetchedOffset);
  return {
    from,
    messages: batch.messages,
    // Without anything at or behind `from`, kafkajs makes a last offset up.
    next: batch.firstOffset() === null ? from : BigInt(batch.lastOffset()) + 1n,
    highWatermark: BigInt(batch.highWatermark),
  };
}

function toRecord(
  { topic, partition }: Slot,
  { offset, timestamp, key, value, headers }: KafkaMessage,
): SourceRecord {
  const list: [string, Buffer | null][] = [];
  for (const [name, values] of Object.entries(headers ?? {})) {
    for (const value of Array.isArray(values) ? values : [values]) {
      list.push([name, value === undefined || value === null ? null : Buffer.from(value)]);
    }
  }
  return { topic, partition, offset, timestamp, key, value, headers: list };
}
