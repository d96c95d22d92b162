import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHealth } from '../../../src/ops/index.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function running() {
  const health = createHealth({ now: () => Date.now() });
  health.watch({ type: 'state', state: 'running' });
  health.watch({ type: 'assigned', partitions: [] });
  return health;
}
const retry = { type: 'retry', code: 'kafka.unavailable', reason: 'r', attempt: 1, delayMs: 1 } as const;

const delivered = {
  type: 'batch',
  ...{ topic: 't', partition: 0, events: 1, sealed: new Map<string, number>() },
  ...{ unmatched: 0, durationMs: 1, timestamp: 0 },
} as const;

describe('health', () => {
  test('not ready after retrying for a minute, ready again after a success', () => {
    const health = running();
    health.watch(retry);
    vi.advanceTimersByTime(59_000);
    health.watch(retry);
    expect(health.ready().ready).toBe(true);
    vi.advanceTimersByTime(2000);
    expect(health.ready()).toEqual({ ready: false, reason: 'retrying' });
    health.watch({ type: 'session', change: 'opened', topic: 't', partition: 0 });
    expect(health.ready().ready, 'a session that opens delivers nothing yet').toBe(false);
    health.watch(delivered);
    expect(health.ready().ready).toBe(true);
    health.close();
  });

  test('ready again when nothing was retried for a minute, though no event came', () => {
    const health = running();
    for (let i = 0; i < 10; i += 1) {
      health.watch(retry);
      vi.advanceTimersByTime(10_000);
    }
    expect(health.ready().ready).toBe(false);
    vi.advanceTimersByTime(51_000);
    expect(health.ready().ready).toBe(true);
    health.watch(retry);
    expect(health.ready().ready).toBe(true);
    health.close();
  });

  test('alive while the loop turns, not after it was held', () => {
    let now = 0;
    const health = createHealth({ now: () => now, wedgedMs: 5000 });
    for (let i = 0; i < 20; i++) {
      now += 1000;
      vi.advanceTimersByTime(1000);
      expect(health.alive()).toBe(true);
    }
    now += 7000; // no timer came: the loop was held
    expect(health.alive()).toBe(false);
    vi.advanceTimersByTime(1000); // the late tick does not hide it
    expect(health.alive()).toBe(false);
    now += 1000;
    vi.advanceTimersByTime(1000);
    expect(health.alive()).toBe(true);
    health.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
