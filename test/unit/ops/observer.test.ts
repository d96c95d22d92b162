import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Notice } from '../../../src/event.ts';
import { createMetrics, createObserver } from '../../../src/ops/index.ts';

type Line = { level: string; fields: Record<string, unknown>; message: string };

function observed() {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    lines.push({ level, fields: fields as Record<string, unknown>, message });
  const log = { debug: at('debug'), info: at('info'), warn: at('warn') };
  const metrics = createMetrics(() => 0, false);
  const observe = createObserver({ log: log as never, metrics });
  const said = (message: string) => lines.filter((l) => l.message === message);
  return { observe, lines, said, metrics };
}

const batch: Notice = {
  type: 'batch',
  topic: 't',
  partition: 0,
  events: 10,
  sealed: new Map([['siem', 4]]),
  unmatched: 2,
  durationMs: 1,
  timestamp: 1,
};
const bad: Notice = {
  type: 'quarantined',
  code: 'event.notJson',
  topic: 't',
  partition: 0,
  offset: '1',
  reason: 'r',
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('observer', () => {
  test('batches make no lines but one summary', () => {
    const { observe, lines, said } = observed();
    observe(batch);
    observe(batch);
    observe({ type: 'lag', topic: 't', partition: 0, lag: 3 });
    observe({ type: 'lag', topic: 't', partition: 1, lag: 4 });
    expect(lines).toEqual([]);
    vi.advanceTimersByTime(30_000);
    expect(said('summary')[0]?.fields).toEqual({
      events: 20,
      sealed: { siem: 8 },
      quarantined: {},
      unmatched: 4,
      lag: 7,
    });
  });

  test('a lost partition leaves the summary', () => {
    const { observe, said } = observed();
    observe({ type: 'lag', topic: 't', partition: 0, lag: 3 });
    observe({ type: 'lag', topic: 't', partition: 1, lag: 4 });
    observe({ type: 'assigned', partitions: [{ topic: 't', partition: 1 }] });
    observe(batch);
    vi.advanceTimersByTime(30_000);
    expect(said('summary')[0]?.fields['lag']).toBe(4);
  });

  test('no summary where nothing happened', () => {
    const { observe, lines } = observed();
    vi.advanceTimersByTime(90_000);
    expect(lines).toEqual([]);
    observe(batch);
    vi.advanceTimersByTime(90_000);
    expect(lines).toHaveLength(1);
  });

  test('the last summary comes with `stopped`, and the timer ends', () => {
    const { observe, said } = observed();
    observe(batch);
    observe({ type: 'state', state: 'stopped' });
    expect(said('summary')).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a flood of bad records writes three lines a code and window, and counts all', async () => {
    const { observe, said, metrics } = observed();
    for (let i = 0; i < 1000; i++) observe({ ...bad, offset: String(i) });
    observe({ ...bad, code: 'event.id' });
    expect(said('record quarantined')).toHaveLength(4);
    expect(said('record quarantined')[2]?.fields['more']).toContain('not logged');
    vi.advanceTimersByTime(30_000);
    expect(said('summary')[0]?.fields['quarantined']).toEqual({ 'event.notJson': 1000, 'event.id': 1 });
    observe(bad);
    expect(said('record quarantined')).toHaveLength(5);
    expect(await metrics.text()).toContain('claimseal_events_quarantined_total{code="event.notJson"} 1001');
  });

  test('retries are few lines too', () => {
    const { observe, said } = observed();
    for (let attempt = 1; attempt < 50; attempt++) {
      observe({ type: 'retry', code: 'kafka.unavailable', reason: 'connection lost', attempt, delayMs: 100 });
    }
    expect(said('trying again')).toHaveLength(3);
  });

  test('state changes are one line each', () => {
    const { observe, lines } = observed();
    observe({ type: 'state', state: 'starting' });
    observe({ type: 'policy', digest: 'd', audiences: ['siem'] });
    observe({ type: 'key', change: 'chosen', audience: 'siem', kid: 'k1', thumbprint: 'tp' });
    observe({
      type: 'key',
      change: 'refused',
      audience: 'siem',
      kid: 'k2',
      thumbprint: undefined,
      reason: 'RSA1_5',
    });
    observe({ type: 'assigned', partitions: [{ topic: 't', partition: 3 }] });
    observe({ type: 'warning', message: 'sign is off' });
    expect(lines.map((l) => `${l.level} ${l.message}`)).toEqual([
      'info starting',
      'info policy in force',
      'info recipient key chosen',
      'warn recipient key refused',
      'info assigned',
      'warn sign is off',
    ]);
    expect(lines[2]?.fields).toEqual({ audience: 'siem', kid: 'k1', thumbprint: 'tp' });
    expect(lines[4]?.fields).toEqual({ partitions: ['t/3'] });
  });

  test('a broken log does not reach the pipeline, and metrics still count', async () => {
    const metrics = createMetrics(() => 0, false);
    const broken = () => {
      throw new Error('disk full');
    };
    const observe = createObserver({ log: { debug: broken, info: broken, warn: broken } as never, metrics });
    expect(() => observe(bad)).not.toThrow();
    expect(await metrics.text()).toContain('claimseal_events_quarantined_total{code="event.notJson"} 1');
  });
});
