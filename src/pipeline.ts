/**
 * source -> decode -> plan -> seal -> encode -> sink, then commit.
 *
 * This file is that sentence, and the one place where an error becomes a quarantined record: a record that is
 * bad goes to quarantine and the batch goes on; everything else stops the batch before anything of it is
 * delivered. An event is atomic: all its outputs are delivered or none. Trying again is the source's business.
 */
import { asClaimsealError, ClaimsealError } from './errors.ts';
import {
  type Audience,
  coordinates,
  type Decision,
  type Event,
  type KeySnapshot,
  type Node,
  type Observe,
  type Output,
  type SourceRecord,
} from './event.ts';
import { quarantineRecord } from './quarantine.ts';
import { ShareGuard } from './share.ts';

// ---- ports -------------------------------------------------------------------------------------

/** Consecutive records of one partition. A source may add to it what its sink needs to commit. */
export interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly SourceRecord[];
}

/** Where records come from. */
export interface Source<B extends Batch = Batch> {
  /**
   * Calls `each` with the batches of a partition one after the other, those of different partitions side by
   * side, and counts a batch as done when its promise resolves. Where it rejects with a `retry`, the batch
   * comes again from the last committed offset. Resolves when `stop` has drained the source or its end is
   * reached; rejects with what halts.
   */
  run(each: (batch: B) => Promise<void>): Promise<void>;
  /** Takes no further batch and waits for those under way. */
  stop(): Promise<void>;
}

/** Where outputs go. */
export interface Sink<B extends Batch = Batch> {
  /** Throws a `deadLetter` when this output could never be produced (too large, a null key on a compacted topic). */
  admit(output: Output): void;
  /** Delivers and commits; `outputs[i]` belongs to `batch.records[i]` and is delivered whole or not at all. */
  deliver(batch: B, outputs: readonly (readonly Output[])[]): Promise<void>;
}

/** Bytes to event and back. */
export interface Codec {
  decode(value: Buffer): Event;
  /** Writes `root`; where `member` is given, with that string at that place. */
  write(
    event: Event,
    root: Node,
    member?: { readonly path: readonly string[]; readonly value: string },
  ): Buffer;
  readonly contentType: string;
}

/** A compiled policy. */
export interface Plan {
  readonly digest: string;
  readonly audiences: readonly Audience[];
  /** The place of the JWE in the envelope. */
  readonly sealedPath: readonly string[];
  readonly unmatched: 'drop' | 'quarantine';
  decide(event: Event, record: SourceRecord): Decision;
  /** What goes along with an output: its record key and headers. */
  recordKey(aud: string, key: Buffer | null): Buffer | null;
  recordHeaders(aud: string, record: SourceRecord, contentType: string): Output['headers'];
}

/** Plaintext to compact JWE (RFC 7516 section 7.1). */
export interface Sealer {
  /** Takes over the keys of a snapshot; the same snapshot again costs nothing. */
  use(keys: KeySnapshot): void;
  /** `evt` is JSON text. */
  seal(aud: string, evt: string, plaintext: Buffer): string;
}

/** The choice of keys. Throws what halts: an audience without a key, a set that is stale. */
export interface Keys {
  current(): KeySnapshot;
}

/** Where bad records go; without it the first one halts. */
export interface Quarantine {
  readonly aud: string;
  readonly topic: string;
  /** Halts when more than this share of the last thousand events was quarantined. */
  readonly maxShare: number | undefined;
}

export interface Stages {
  readonly codec: Codec;
  readonly plan: Plan;
  readonly sealer: Sealer;
  readonly keys: Keys;
  readonly quarantine: Quarantine | undefined;
  /** Coordinates the operator sets aside: `topic/partition/offset`. */
  readonly setAside: ReadonlySet<string>;
  /** SHA-256, base64url. */
  readonly digest: (bytes: Buffer) => string;
  readonly observe: Observe;
}

// ---- one event ---------------------------------------------------------------------------------

/** What became of one record. */
export interface Sealed {
  readonly outputs: readonly Output[];
  /** Names of the audiences it was sealed for. */
  readonly sealedFor: readonly string[];
  readonly matched: boolean;
}

/**
 * Seals one record for every audience that may read of it. Synchronous: nothing here waits.
 * @throws ClaimsealError `deadLetter` when the record is bad, `halt` when going on would be wrong.
 */
export function sealRecord(
  record: SourceRecord,
  { codec, plan, sealer, setAside }: Pick<Stages, 'codec' | 'plan' | 'sealer' | 'setAside'>,
): Sealed {
  if (setAside.size > 0 && setAside.has(coordinates(record))) {
    throw new ClaimsealError('operator.setAside', 'set aside by the operator');
  }
  const output = (audience: Audience, value: Buffer | null): Output => ({
    topic: audience.topic,
    partition: record.partition,
    key: plan.recordKey(audience.aud, record.key),
    value,
    headers: plan.recordHeaders(audience.aud, record, codec.contentType),
    timestamp: record.timestamp,
  });

  if (record.value === null) {
    return { outputs: plan.audiences.map((a) => output(a, null)), sealedFor: [], matched: true };
  }
  const event = codec.decode(record.value);
  const { evt, clear, views, routed, matched } = plan.decide(event, record);
  if (!matched && plan.unmatched === 'quarantine') {
    throw new ClaimsealError('event.unmatched', 'no grant of the policy matches this event');
  }
  const outputs: Output[] = [];
  for (const { audience, root } of views) {
    const jwe = sealer.seal(audience.aud, evt, codec.write(event, root));
    outputs.push(output(audience, codec.write(event, clear, { path: plan.sealedPath, value: jwe })));
  }
  if (routed.length > 0) {
    const value = codec.write(event, clear);
    for (const audience of routed) outputs.push(output(audience, value));
  }
  return { outputs, sealedFor: views.map((v) => v.audience.name), matched };
}

// ---- the stream --------------------------------------------------------------------------------

/** Records that are sealed before the event loop gets a turn. */
const SLICE = 200;

/** Runs until the source ends or is stopped. Rejects with the ClaimsealError that halted it. */
export async function runPipeline<B extends Batch>(
  source: Source<B>,
  sink: Sink<B>,
  stages: Stages,
): Promise<void> {
  const { sealer, keys, observe } = stages;
  const admit = sink.admit.bind(sink);
  const share = new ShareGuard(stages.quarantine?.maxShare);

  const process = (record: SourceRecord): Sealed & { error?: ClaimsealError } => {
    try {
      const sealed = sealRecord(record, stages);
      for (const output of sealed.outputs) admit(output);
      return sealed;
    } catch (thrown) {
      const error = asClaimsealError(thrown);
      if (error.disposition !== 'deadLetter') throw located(error, record);
      return {
        outputs: [quarantineRecord(record, error, stages, admit)],
        sealedFor: [],
        matched: true,
        error,
      };
    }
  };

  await source.run(async (batch) => {
    const started = performance.now();
    sealer.use(keys.current());
    const outputs: (readonly Output[])[] = [];
    const sealed = new Map<string, number>();
    /** What was wrong with each record; undefined where nothing was. */
    const errors: (ClaimsealError | undefined)[] = [];
    let unmatched = 0;
    for (const [index, record] of batch.records.entries()) {
      if (index % SLICE === SLICE - 1) {
        await new Promise(setImmediate);
        sealer.use(keys.current()); // a key that is gone meanwhile is not sealed to any more
      }
      const result = process(record);
      outputs.push(result.outputs);
      for (const name of result.sealedFor) sealed.set(name, (sealed.get(name) ?? 0) + 1);
      errors.push(result.error);
      if (!result.matched) unmatched += 1;
    }
    share.judge(batch.records, errors);
    await sink.deliver(batch, outputs);
    share.keep(errors);

    for (const [index, error] of errors.entries()) {
      if (error === undefined) continue;
      const { topic, partition, offset } = batch.records[index]!;
      observe({ type: 'quarantined', code: error.code, topic, partition, offset, reason: error.message });
    }
    observe({
      type: 'batch',
      topic: batch.topic,
      partition: batch.partition,
      events: batch.records.length,
      sealed,
      unmatched,
      durationMs: performance.now() - started,
      timestamp: Number(batch.records.at(-1)?.timestamp ?? 0),
    });
  });
}

/** The same error with the record's coordinates, and the way out where one record halts everyone. */
function located(error: ClaimsealError, record: SourceRecord): ClaimsealError {
  if (error.code !== 'internal') return error;
  return new ClaimsealError('internal', `${error.message} at record ${coordinates(record)}`, {
    place: { topic: record.topic, partition: record.partition, offset: record.offset },
    remedy: `start with --quarantine-offset ${coordinates(record)} to set this record aside`,
    cause: error.cause,
  });
}
