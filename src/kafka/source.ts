/**
 * The consumer and its supervision. kafkajs fetches; it never waits for processing: `eachBatch` pauses its
 * partition, hands the batch to that partition's worker and returns, so that partitions proceed on their own.
 * Each group join puts new workers in the place of the old. A consumer that crashes is built anew with back-off.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Assigner, Consumer, EachBatchPayload, PartitionAssigner } from 'kafkajs';
import { asClaimsealError, ClaimsealError } from '../errors.ts';
import type { Observe } from '../event.ts';
import type { Source } from '../pipeline.ts';
import { type Clients, type KafkaSettings, METADATA_MAX_AGE_MS } from './client.ts';
import { isTopicFailure, kafkaFailure, Strikes } from './failures.ts';
import type { Offsets } from './offsets.ts';
import { kafkajs, type PatientAssigner } from './repairs.ts';
import { type GroupCommit, openSession, type Slot, slotName } from './session.ts';
import type { Topology } from './topology.ts';
import { type KafkaBatch, PartitionWorker, toFetch, type WorkerPorts } from './worker.ts';

/** Long enough to keep an idle broker quiet, short enough that a resumed partition is not kept waiting. */
const MAX_WAIT_MS = 50;
const MAX_BYTES_PER_PARTITION = 1 << 20;
/** How long a new worker waits for the one before it to put down its batch; the session fences it in any case. */
const HANDOVER_MS = 2_000;
/** The part of the session and rebalance timeouts that a batch in hand may take before the group is joined anew. */
const BEFORE_JOIN = 0.5;
const DISCONNECT_MS = 3_000;
const LOOK_AGAIN_MS = 10_000;
const CRASH_DELAY_MS = 500;
const CRASH_MAX_DELAY_MS = 15_000;
/** A consumer that lived so long was sound. */
const STEADY_MS = 60_000;

export interface SourceOptions {
  readonly settings: KafkaSettings;
  readonly groupId: string;
  readonly clients: Clients;
  readonly topology: Topology;
  readonly offsets: Offsets;
  /** End offsets to stop at, by `topic/partition`; undefined: run on. */
  readonly ends: ReadonlyMap<string, bigint> | undefined;
  readonly acceptGap: boolean;
  readonly observe: Observe;
}

export class KafkaSource implements Source<KafkaBatch> {
  readonly #options: SourceOptions;
  readonly #stopping = new AbortController();
  readonly #workers = new Map<string, PartitionWorker>();
  /** Own positions, for `--until-end` and lag. */
  readonly #positions = new Map<string, bigint>();
  readonly #strikes = new Strikes();
  #consumer: Consumer | undefined;
  #each: ((batch: KafkaBatch) => Promise<void>) | undefined;
  #commit: EachBatchPayload['commitOffsetsIfNecessary'] | undefined;
  #failed: ClaimsealError | undefined;
  #done: Promise<void> | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  run(each: (batch: KafkaBatch) => Promise<void>): Promise<void> {
    this.#each = each;
    this.#done = this.#supervise();
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done?.catch(() => {});
  }

  /** Ends the run with what halts it. */
  halt(error: ClaimsealError): void {
    this.#failed ??= error;
    this.#stopping.abort();
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#stopping;
    const { observe } = this.#options;
    const watch = this.#watch();
    for (let attempt = 0; !signal.aborted; ) {
      const began = performance.now();
      try {
        await this.#consume();
      } catch (thrown) {
        if (performance.now() - began > STEADY_MS) attempt = 0;
        const failure = kafkaFailure(thrown);
        const error = this.#strikes.judge(placeOf(failure), failure);
        if (error.disposition !== 'retry') this.halt(error);
        if (signal.aborted) break;
        const delayMs = Math.min(CRASH_MAX_DELAY_MS, CRASH_DELAY_MS * 2 ** attempt);
        attempt += 1;
        observe({ type: 'retry', code: error.code, reason: error.message, attempt, delayMs });
        await delay(delayMs, undefined, { signal }).catch(() => {});
      }
    }
    await watch;
    if (this.#failed !== undefined) throw this.#failed;
  }

  /** Runs one consumer until it crashes (rejects) or the source stops (resolves, drained). */
  async #consume(): Promise<void> {
    const { settings, groupId, clients, topology } = this.#options;
    const { signal } = this.#stopping;
    const patienceMs = BEFORE_JOIN * Math.min(settings.sessionTimeout, settings.rebalanceTimeout);
    const consumer: Consumer = clients.consumer.consumer({
      groupId,
      sessionTimeout: settings.sessionTimeout,
      rebalanceTimeout: settings.rebalanceTimeout,
      heartbeatInterval: Math.floor(settings.sessionTimeout / 4),
      metadataMaxAge: METADATA_MAX_AGE_MS,
      maxWaitTimeInMs: MAX_WAIT_MS,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
      allowAutoTopicCreation: false,
      readUncommitted: false,
      partitionAssigners: [patient(() => this.#putDown(consumer, patienceMs))],
    });
    const crashed = new Promise<never>((_, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    });
    crashed.catch(() => {});
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
      this.#joined(consumer, payload.memberAssignment),
    );
    this.#consumer = consumer;
    const running = async () => {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topology.sources.keys()], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async ({ batch, pause, commitOffsetsIfNecessary }) => {
          pause();
          if (this.#consumer !== consumer) return;
          this.#commit = commitOffsetsIfNecessary;
          this.#workers.get(slotName(batch))?.offer(toFetch(batch));
        },
      });
      await crashed;
    };
    try {
      await Promise.race([running(), aborted(signal)]);
    } finally {
      // Workers first: what they have in hand they still commit, which needs the group in at-least-once.
      await this.#dismiss();
      this.#consumer = undefined;
      this.#commit = undefined;
      await Promise.race([
        consumer.disconnect().catch(() => {}),
        delay(DISCONNECT_MS, undefined, { ref: false }),
      ]);
    }
  }

  #joined(consumer: Consumer, assignment: Record<string, readonly number[]>): void {
    // It is being disposed of: its workers are drained by whoever does that, or are another's already.
    if (this.#consumer !== consumer || this.#stopping.signal.aborted) return;
    const slots = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition): Slot => ({ topic, partition })),
    );
    const old = new Map(this.#workers);
    for (const worker of old.values()) worker.close();
    this.#workers.clear();
    this.#positions.clear();
    for (const [topic, partitions] of Object.entries(assignment))
      consumer.pause([{ topic, partitions: [...partitions] }]);
    this.#options.observe({ type: 'assigned', partitions: slots });
    for (const slot of slots) {
      const name = slotName(slot);
      const before = old.get(name)?.drained();
      // In at-least-once nothing fences the batch in hand: an older event would come behind a newer one.
      const fenced = this.#options.settings.delivery === 'exactly-once';
      const after = before && (fenced ? Promise.race([before, delay(HANDOVER_MS)]) : before);
      const worker: PartitionWorker = new PartitionWorker(
        slot,
        this.#ports(consumer, () => this.#workers.get(name) === worker),
        after,
      );
      this.#workers.set(name, worker);
    }
  }

  /** Before the group is joined anew: what is in hand is finished and committed, or another member does it again. */
  async #putDown(consumer: Consumer, limitMs: number): Promise<void> {
    if (this.#consumer !== consumer) return;
    const done = new AbortController();
    const late = delay(limitMs, undefined, { ref: false, signal: done.signal }).catch(() => {});
    await Promise.race([this.#closeWorkers(), late]);
    done.abort();
  }

  /** Resolves when nothing is in hand any more. */
  async #closeWorkers(): Promise<void> {
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.close();
    await Promise.all(workers.map((worker) => worker.drained()));
  }

  async #dismiss(): Promise<void> {
    await this.#closeWorkers();
    this.#workers.clear();
    this.#positions.clear();
  }

  /** `current` tells whether the worker still stands for its partition: an old one must not move the consumer. */
  #ports(consumer: Consumer, current: () => boolean): WorkerPorts {
    const { settings, groupId, clients, topology, offsets, ends, acceptGap, observe } = this.#options;
    const commit: GroupCommit = async ({ topic, partition }, offset) => {
      if (!current() || this.#consumer !== consumer)
        throw new ClaimsealError('kafka.session', 'the group was joined anew', {
          place: { topic, partition },
        });
      const topics = [{ topic, partitions: [{ partition, offset: offset.toString() }] }];
      // kafkajs's other way to commit repeats a refused commit under the next generation, perhaps another's.
      if (this.#commit) await this.#commit({ topics });
      else await consumer.commitOffsets([{ topic, partition, offset: offset.toString() }]);
    };
    return {
      openSession: async (slot) => {
        // A partition that came since: its targets may have grown along with it.
        if (slot.partition >= (topology.sources.get(slot.topic) ?? 0)) await topology.refresh();
        return openSession(slot, {
          clients,
          topology,
          groupId,
          exactlyOnce: settings.delivery === 'exactly-once',
          transactionTimeout: settings.transactionTimeout,
        });
      },
      fetchFrom: ({ topic, partition }, offset) => {
        if (!current() || this.#consumer !== consumer) return;
        try {
          consumer.seek({ topic, partition, offset: offset.toString() });
          consumer.resume([{ topic, partitions: [partition] }]);
        } catch (thrown) {
          throw kafkaFailure(thrown, { topic, partition }); // it crashed, and has not told yet
        }
      },
      range: (slot) => offsets.range(slot),
      commit,
      end: (slot) => ends && (ends.get(slotName(slot)) ?? 0n),
      acceptGap,
      each: (batch) => this.#each!(batch),
      moved: (slot, position, highWatermark) => {
        if (!current()) return;
        this.#positions.set(slotName(slot), position);
        if (highWatermark !== undefined) {
          this.#strikes.clear(slotName(slot));
          this.#strikes.clear(NOWHERE);
          this.#tellLag(slot, position, highWatermark);
        }
        if (ends) void this.#checkEnd();
      },
      judge: (error) => this.#strikes.judge(placeOf(error), error),
      recover: async (error) => {
        if (isTopicFailure(error.cause)) await topology.refresh();
      },
      halt: (error) => this.halt(error),
      observe,
    };
  }

  // ---- looking around --------------------------------------------------------------------------

  /** Looks at topics, lag and other members' progress until the source stops. */
  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    const { topology, ends } = this.#options;
    let looked = performance.now();
    while (!signal.aborted) {
      await delay(ends ? 500 : LOOK_AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      try {
        if (ends) await this.#checkEnd(true);
        if (performance.now() - looked < LOOK_AGAIN_MS) continue;
        looked = performance.now();
        await topology.refresh();
        await this.#reportLag();
      } catch (thrown) {
        const error = asClaimsealError(thrown);
        if (error.disposition !== 'retry') return this.halt(error);
      }
    }
  }

  async #reportLag(): Promise<void> {
    const { offsets } = this.#options;
    for (const { slot } of this.#workers.values()) {
      const { high } = await offsets.range(slot);
      const position = this.#positions.get(slotName(slot));
      if (position !== undefined) this.#tellLag(slot, position, high);
    }
  }

  #tellLag(slot: Slot, position: bigint, end: bigint): void {
    this.#options.observe({ type: 'lag', ...slot, lag: Number(end > position ? end - position : 0n) });
  }

  /** Stops when every partition, others' included, has reached the end it had at start. */
  async #checkEnd(ask = false): Promise<void> {
    const { ends, offsets, topology } = this.#options;
    let open = [...ends!].filter(([name, end]) => end > (this.#positions.get(name) ?? -1n));
    if (open.length > 0 && ask) {
      const committed = await offsets.committed([...topology.sources.keys()]);
      open = open.filter(([name, end]) => end > (committed.get(name) ?? -1n));
    }
    if (open.length === 0) this.#stopping.abort();
  }
}

/** Where a failure struck, for counting; a failure of the consumer itself has no place. */
function placeOf({ place: { topic, partition } }: ClaimsealError): string {
  return topic === undefined || partition === undefined ? NOWHERE : slotName({ topic, partition });
}
const NOWHERE = '';

/** Round robin, as kafkajs has it, but told before the group is joined anew. */
function patient(beforeJoin: () => Promise<void>): PartitionAssigner {
  const { roundRobin } = kafkajs().PartitionAssigners;
  return (config): Assigner & PatientAssigner => ({ ...roundRobin(config), beforeJoin });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
