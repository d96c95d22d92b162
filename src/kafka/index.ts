/**
 * The broker: where records come from and outputs go. This room holds sessions, transactions, topics and the
 * supervision of the client; it refuses to move an offset for anything that was not delivered, to reach a broker
 * unencrypted beyond loopback, and to hand out anything of kafkajs: another client could take its place.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { asClaimsealError, type ClaimsealError } from '../errors.ts';
import type { Observe } from '../event.ts';
import type { Sink, Source } from '../pipeline.ts';
import { createClients, type KafkaSettings } from './client.ts';
import { createOffsets } from './offsets.ts';
import { KafkaSource } from './source.ts';
import { readTopology, type Topics } from './topology.ts';
import type { KafkaBatch } from './worker.ts';

export interface KafkaOptions {
  readonly settings: KafkaSettings;
  /** `settings.groupId`, or that of an `--audience` subset. */
  readonly groupId: string;
  readonly topics: Topics;
  /** Stop at the end offsets seen now. */
  readonly untilEnd: boolean;
  /** Go on behind records that retention removed. */
  readonly acceptGap: boolean;
  readonly observe: Observe;
  /** Gives up waiting for the broker at start. */
  readonly signal: AbortSignal;
}

export interface KafkaEnds {
  readonly source: Source<KafkaBatch>;
  readonly sink: Sink<KafkaBatch>;
  /** Records between the committed offsets and the ends seen at start, with `untilEnd`. */
  readonly total: number | undefined;
  close(): Promise<void>;
}

const START_DELAY_MS = 500;
const START_MAX_DELAY_MS = 10_000;

/**
 * Connects, checks the topics, and returns both ends of the stream. A broker that is away is waited for.
 * @throws ClaimsealError `kafka.topic`, `kafka.credentials`, `kafka.plaintext`, `config.*`
 */
export async function openKafka(options: KafkaOptions): Promise<KafkaEnds> {
  const { settings, groupId, topics, untilEnd, acceptGap, observe, signal } = options;
  let source: KafkaSource | undefined;
  let refuse = (_error: ClaimsealError) => {};
  const refusal = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  refusal.catch(() => {}); // once it runs, the source tells
  const clients = await createClients(settings, (error) => {
    refuse(error);
    source?.halt(error);
  });
  const offsets = createOffsets(clients, groupId);

  const prepare = async () => {
    const topology = await readTopology(clients, topics, { createTopics: settings.createTopics, observe });
    if (settings.start === 'latest') await offsets.startAtEnd(topology.sources);
    const ends = untilEnd ? await offsets.ends(topics.sources) : undefined;
    const committed = ends && (await offsets.committed(topics.sources));
    return { topology, ends, committed };
  };
  try {
    for (let attempt = 0; ; ) {
      try {
        const { topology, ends, committed } = await Promise.race([prepare(), refusal]);
        source = new KafkaSource({ settings, groupId, clients, topology, offsets, ends, acceptGap, observe });
        let total: number | undefined;
        if (ends && committed) {
          total = 0;
          for (const [slot, end] of ends) total += Math.max(0, Number(end - (committed.get(slot) ?? 0n)));
        }
        return {
          source,
          sink: { admit: topology.admit, deliver: (batch, outputs) => batch.deliver(outputs) },
          total,
          close: clients.close,
        };
      } catch (thrown) {
        const error = asClaimsealError(thrown);
        if (error.disposition !== 'retry' || signal.aborted) throw error;
        const delayMs = Math.min(START_MAX_DELAY_MS, START_DELAY_MS * 2 ** attempt);
        attempt += 1;
        observe({ type: 'retry', code: error.code, reason: error.message, attempt, delayMs });
        await delay(delayMs, undefined, { signal }).catch(() => {});
      }
    }
  } catch (error) {
    await clients.close();
    throw error;
  }
}
