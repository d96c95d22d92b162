import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Notice, Observe } from '../event.ts';

export interface Metrics {
  /** Counts a notice. Never throws. */
  readonly count: Observe;
  /** The exposition text of everything. */
  text(): Promise<string>;
  readonly contentType: string;
}

type BatchNotice = Extract<Notice, { type: 'batch' }>;
type KeyNotice = Extract<Notice, { type: 'key' }>;
type ContentKeyNotice = Extract<Notice, { type: 'contentKey' }>;

/**
 * The Prometheus metrics in a registry of their own. Labels are bounded: names of audiences (never an alias),
 * codes and reasons from closed sets, assigned topics and partitions (dropped when the partition is lost).
 *
 * @param now ms since the epoch; ages count from it
 * @param withDefaults adds the process's own (CPU, memory, event loop)
 */
export function createMetrics(now: () => number = Date.now, withDefaults = true): Metrics {
  const registers = [new Registry()];
  const registry = registers[0]!;
  if (withDefaults) collectDefaultMetrics({ register: registry });

  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `claimseal_${name}_total`, help, labelNames, registers });
  const events = counter('events_in', 'Events read, delivered and committed');
  const views = counter('views_sealed', 'Views sealed', ['audience']);
  const quarantined = counter('events_quarantined', 'Records sealed to the quarantine key', ['code']);
  const unmatched = counter('events_unmatched', 'Events that no grant matched');
  const made = counter('content_keys_made', 'Content keys made', ['audience']);
  const retired = counter('content_keys_retired', 'Content keys retired', ['audience', 'reason']);
  const keyChanges = counter('recipient_key_changes', 'Changes of recipient keys', ['audience', 'change']);
  const unreadable = counter('key_set_failures', 'Readings of a key set that failed', ['audience']);
  const retries = counter('retries', 'Attempts repeated because the world was at fault', ['code']);
  const opened = counter('sessions_opened', 'Partition sessions opened');
  const closed = counter('sessions_closed', 'Partition sessions closed');
  const warnings = counter('warnings', 'Warnings logged');

  const duration = new Histogram({
    name: 'claimseal_batch_duration_seconds',
    help: 'From a batch taken to its commit',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const policy = new Gauge({
    name: 'claimseal_policy_info',
    help: 'The digest of the policy in force',
    labelNames: ['digest'],
    registers,
  });

  const lag = new Gauge({
    name: 'claimseal_lag_events',
    help: 'Records between the position and the end of the partition',
    labelNames: ['topic', 'partition'],
    registers,
  });

  /** What is known of each assigned partition; `timestamp` is that of the last record taken. */
  const partitions = new Map<
    string,
    { topic: string; partition: number; lag?: number; timestamp?: number }
  >();
  const partitionOf = ({ topic, partition }: { topic: string; partition: number }) => {
    const id = `${topic}/${partition}`;
    const known = partitions.get(id) ?? { topic, partition };
    partitions.set(id, known);
    return known;
  };
  new Gauge({
    name: 'claimseal_behind_seconds',
    help: 'Age of the last record taken, 0 where the partition has no more',
    labelNames: ['topic', 'partition'],
    registers,
    collect() {
      this.reset();
      for (const { topic, partition, lag: left, timestamp } of partitions.values()) {
        if (timestamp === undefined) continue;
        this.set({ topic, partition }, left === 0 ? 0 : Math.max(0, (now() - timestamp) / 1000));
      }
    },
  });

  /** By `aud`, so that one alias's key does not hide another's; shown by name, the oldest. */
  const contentKeys = new Map<string, { at: number }>();
  const recipientKeys = new Map<string, { at: number; thumbprint: string | undefined }>();
  const ages = (name: string, help: string, since: ReadonlyMap<string, { at: number }>) =>
    new Gauge({
      name,
      help,
      labelNames: ['audience'],
      registers,
      collect() {
        this.reset();
        const oldest = new Map<string, number>();
        for (const [aud, { at }] of since) {
          const audience = nameOf(aud);
          oldest.set(audience, Math.min(at, oldest.get(audience) ?? at));
        }
        for (const [audience, at] of oldest) this.set({ audience }, Math.max(0, (now() - at) / 1000));
      },
    });
  ages('claimseal_content_key_age_seconds', 'Age of the oldest content key in use', contentKeys);
  ages('claimseal_recipient_key_age_seconds', 'Time since the recipient key was chosen', recipientKeys);
  const countBatch = (notice: BatchNotice) => {
    events.inc(notice.events);
    unmatched.inc(notice.unmatched);
    for (const [audience, n] of notice.sealed) views.inc({ audience: nameOf(audience) }, n);
    duration.observe(notice.durationMs / 1000);
    if (notice.timestamp > 0) partitionOf(notice).timestamp = notice.timestamp;
  };

  const countKey = (notice: KeyNotice) => {
    const audience = nameOf(notice.audience);
    keyChanges.inc({ audience, change: notice.change });
    const chosen = recipientKeys.get(notice.audience);
    if (notice.change === 'chosen') {
      recipientKeys.set(notice.audience, { at: now(), thumbprint: notice.thumbprint });
    } else if (notice.change === 'gone' && chosen?.thumbprint === notice.thumbprint) {
      recipientKeys.delete(notice.audience);
    }
  };

  const countContentKey = (notice: ContentKeyNotice) => {
    const audience = nameOf(notice.audience);
    if (notice.change === 'made') {
      contentKeys.set(notice.audience, { at: now() });
      made.inc({ audience });
    } else {
      contentKeys.delete(notice.audience);
      retired.inc({ audience, reason: notice.reason ?? 'closed' });
    }
  };

  const keepOnly = (assigned: readonly { topic: string; partition: number }[]) => {
    const kept = new Set(assigned.map((p) => `${p.topic}/${p.partition}`));
    for (const [id, { topic, partition }] of partitions) {
      if (kept.has(id)) continue;
      partitions.delete(id);
      lag.remove({ topic, partition });
    }
  };

  const count = (notice: Notice): void => {
    switch (notice.type) {
      case 'batch':
        countBatch(notice);
        break;
      case 'quarantined':
        quarantined.inc({ code: notice.code });
        break;
      case 'policy':
        policy.reset();
        policy.set({ digest: notice.digest }, 1);
        for (const audience of notice.audiences) views.inc({ audience: nameOf(audience) }, 0);
        break;
      case 'key':
        countKey(notice);
        break;
      case 'keysStale':
        unreadable.inc({ audience: nameOf(notice.audience) });
        break;
      case 'contentKey':
        countContentKey(notice);
        break;
      case 'assigned':
        keepOnly(notice.partitions);
        break;
      case 'lag':
        partitionOf(notice).lag = notice.lag;
        lag.set({ topic: notice.topic, partition: notice.partition }, notice.lag);
        break;
      case 'session':
        (notice.change === 'opened' ? opened : closed).inc();
        break;
      case 'retry':
        retries.inc({ code: notice.code });
        break;
      case 'warning':
        warnings.inc();
        break;
      case 'state':
        break;
    }
  };

  return { count, text: () => registry.metrics(), contentType: registry.contentType };
}

/** An audience's name: `NAME:ALIAS` would make as many series as there are tenants. */
function nameOf(audience: string): string {
  const colon = audience.indexOf(':');
  return colon === -1 ? audience : audience.slice(0, colon);
}
