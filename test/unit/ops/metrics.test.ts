import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../../src/ops/index.ts';

const line = async (metrics: { text(): Promise<string> }, start: string) =>
  (await metrics.text())
    .split('\n')
    .filter((l) => l.startsWith(start))
    .join('\n');

const batch = {
  type: 'batch',
  topic: 't',
  partition: 0,
  events: 5,
  sealed: new Map([
    ['payroll', 3],
    ['siem', 2],
  ]),
  unmatched: 1,
  durationMs: 20,
  timestamp: 1_000_000,
} as const;

describe('metrics', () => {
  test('a batch counts events, views, unmatched, duration', async () => {
    const metrics = createMetrics(() => 1_000_000, false);
    metrics.count(batch);
    metrics.count(batch);
    expect(await line(metrics, 'claimseal_events_in_total')).toBe('claimseal_events_in_total 10');
    expect(await line(metrics, 'claimseal_views_sealed_total{audience="payroll"}')).toMatch(/ 6$/);
    expect(await line(metrics, 'claimseal_events_unmatched_total')).toMatch(/ 2$/);
    expect(await line(metrics, 'claimseal_batch_duration_seconds_count')).toMatch(/ 2$/);
    expect(await line(metrics, 'claimseal_batch_duration_seconds_sum')).toMatch(/ 0.04$/);
  });

  test('seconds behind is the age of the last record, and 0 where nothing is left', async () => {
    let now = 1_000_000;
    const metrics = createMetrics(() => now, false);
    metrics.count(batch);
    metrics.count({ type: 'lag', topic: 't', partition: 0, lag: 7 });
    now += 42_000;
    expect(await line(metrics, 'claimseal_behind_seconds')).toBe(
      'claimseal_behind_seconds{topic="t",partition="0"} 42',
    );
    expect(await line(metrics, 'claimseal_lag_events')).toMatch(/ 7$/);
    metrics.count({ type: 'lag', topic: 't', partition: 0, lag: 0 });
    expect(await line(metrics, 'claimseal_behind_seconds')).toMatch(/ 0$/);
  });

  test('a lost partition takes its series along, the others stay', async () => {
    const metrics = createMetrics(() => 2_000_000, false);
    for (const partition of [0, 1]) {
      metrics.count({ ...batch, partition });
      metrics.count({ type: 'lag', topic: 't', partition, lag: 1 });
    }
    metrics.count({ type: 'assigned', partitions: [{ topic: 't', partition: 1 }] });
    expect(await line(metrics, 'claimseal_lag_events')).toBe(
      'claimseal_lag_events{topic="t",partition="1"} 1',
    );
    expect(await line(metrics, 'claimseal_behind_seconds{')).toContain('partition="1"');
    expect(await line(metrics, 'claimseal_behind_seconds{')).not.toContain('partition="0"');
  });

  test('an alias is never a label', async () => {
    const metrics = createMetrics(() => 0, false);
    const audience = 'tenant:acme-corp';
    metrics.count({ ...batch, sealed: new Map([[audience, 1]]) });
    metrics.count({ type: 'contentKey', audience, change: 'made' });
    metrics.count({ type: 'key', change: 'chosen', audience, kid: 'acme-corp-1', thumbprint: 'tp' });
    metrics.count({ type: 'keysStale', audience, sinceMs: 1, reason: 'r' });
    metrics.count({ type: 'policy', digest: 'd', audiences: [audience] });
    const text = await metrics.text();
    expect(text).not.toContain('acme-corp');
    expect(text).toContain('claimseal_content_key_age_seconds{audience="tenant"}');
  });

  test('key ages: the oldest content key of an audience, dropped when retired', async () => {
    let now = 0;
    const metrics = createMetrics(() => now, false);
    metrics.count({ type: 'contentKey', audience: 'tenant:a', change: 'made' });
    now = 5000;
    metrics.count({ type: 'contentKey', audience: 'tenant:b', change: 'made' });
    now = 9000;
    const age = 'claimseal_content_key_age_seconds{audience="tenant"}';
    expect(await line(metrics, age)).toBe(`${age} 9`);
    metrics.count({ type: 'contentKey', audience: 'tenant:a', change: 'retired', reason: 'age' });
    expect(await line(metrics, age)).toBe(`${age} 4`);
    metrics.count({ type: 'contentKey', audience: 'tenant:b', change: 'retired', reason: 'bytes' });
    expect(await line(metrics, 'claimseal_content_key_age_seconds{')).toBe('');
    expect(
      await line(metrics, 'claimseal_content_keys_retired_total{audience="tenant",reason="age"}'),
    ).toMatch(/ 1$/);
  });

  test('recipient key age counts from the choice and ends when that very key is gone', async () => {
    let now = 0;
    const metrics = createMetrics(() => now, false);
    const notice = { type: 'key', audience: 'siem', kid: undefined } as const;
    metrics.count({ ...notice, change: 'chosen', thumbprint: 'one' });
    now = 3000;
    metrics.count({ ...notice, change: 'gone', thumbprint: 'other' });
    const age = 'claimseal_recipient_key_age_seconds{audience="siem"}';
    expect(await line(metrics, age)).toBe(`${age} 3`);
    metrics.count({ ...notice, change: 'gone', thumbprint: 'one' });
    expect(await line(metrics, age)).toBe('');
  });

  test('one policy digest is in force', async () => {
    const metrics = createMetrics(() => 0, false);
    metrics.count({ type: 'policy', digest: 'first', audiences: [] });
    metrics.count({ type: 'policy', digest: 'second', audiences: [] });
    expect(await line(metrics, 'claimseal_policy_info')).toBe('claimseal_policy_info{digest="second"} 1');
  });

  test('retries, quarantined, sessions, warnings are counted; defaults are there', async () => {
    const metrics = createMetrics();
    metrics.count({ type: 'retry', code: 'kafka.unavailable', reason: 'r', attempt: 1, delayMs: 1 });
    metrics.count({
      type: 'quarantined',
      code: 'event.notJson',
      topic: 't',
      partition: 0,
      offset: '1',
      reason: 'r',
    });
    metrics.count({ type: 'session', change: 'opened', topic: 't', partition: 0 });
    metrics.count({ type: 'session', change: 'closed', topic: 't', partition: 0 });
    metrics.count({ type: 'warning', message: 'm' });
    const text = await metrics.text();
    expect(text).toContain('claimseal_retries_total{code="kafka.unavailable"} 1');
    expect(text).toContain('claimseal_events_quarantined_total{code="event.notJson"} 1');
    expect(text).toContain('claimseal_sessions_opened_total 1');
    expect(text).toContain('claimseal_sessions_closed_total 1');
    expect(text).toContain('claimseal_warnings_total 1');
    expect(text).toContain('process_cpu_seconds_total');
  });
});
