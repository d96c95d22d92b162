import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { installShutdown, type Shutdown } from '../../../src/ops/index.ts';

let shutdown: Shutdown;
const said: string[] = [];
const exits: number[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  said.length = 0;
  exits.length = 0;
  shutdown = installShutdown({
    lateCode: 4,
    say: (message) => said.push(message),
    exit: (code) => exits.push(code),
  });
});
afterEach(() => {
  shutdown.close();
  vi.useRealTimers();
});

describe('shutdown', () => {
  test('the first signal asks for a drain and does not exit', () => {
    expect(shutdown.signal.aborted).toBe(false);
    process.emit('SIGTERM', 'SIGTERM');
    expect(shutdown.signal.aborted).toBe(true);
    expect(exits).toEqual([]);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('a second %s exits at once with %i', (name, code) => {
    process.emit('SIGINT', 'SIGINT');
    process.emit(name, name);
    expect(exits).toEqual([code]);
  });

  test('a drain that takes longer than 10 s is ended, says so, exits not zero', () => {
    process.emit('SIGTERM', 'SIGTERM');
    vi.advanceTimersByTime(9_999);
    expect(exits).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(exits).toEqual([4]);
    expect(said.at(-1)).toContain('not drained within 10 s');
  });

  test('close takes the handlers and the limit away', () => {
    const before = process.listenerCount('SIGTERM');
    process.emit('SIGTERM', 'SIGTERM');
    shutdown.close();
    expect(process.listenerCount('SIGTERM')).toBe(before - 1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
