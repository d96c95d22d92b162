/** Timing of contenders in one run: warmed up, interleaved, median and spread; only their ratios mean anything. */
import { cpus } from 'node:os';

export interface Contender {
  readonly name: string;
  /** One operation; a returned promise is awaited. */
  readonly run: () => unknown;
}

export interface Timing {
  readonly name: string;
  /** Median microseconds an operation. */
  readonly us: number;
  /** Half the distance of the quartiles, as a share of the median. */
  readonly spread: number;
}

/** Rounds of each contender in turn, each about `roundMs` long. */
export async function race(contenders: readonly Contender[], rounds = 9, roundMs = 60): Promise<Timing[]> {
  const counts: number[] = [];
  for (const { run } of contenders) {
    let n = 1;
    for (;;) {
      const us = await time(run, n);
      if (us * n > roundMs * 1000) break;
      n = Math.max(n + 1, Math.ceil(Math.min(n * 8, (n * roundMs * 1100) / Math.max(1, us * n))));
    }
    counts.push(n);
  }
  const samples = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, { run }] of contenders.entries()) samples[i]!.push(await time(run, counts[i]!));
  }
  return contenders.map(({ name }, i) => {
    const sorted = samples[i]!.sort((a, b) => a - b);
    const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
    return { name, us: at(0.5), spread: (at(0.75) - at(0.25)) / 2 / at(0.5) };
  });
}

async function time(run: () => unknown, n: number): Promise<number> {
  const start = process.hrtime.bigint();
  for (let i = 0; i < n; i += 1) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return Number(process.hrtime.bigint() - start) / 1000 / n;
}

export function machine(): { node: string; openssl: string; cpu: string; cores: number } {
  const all = cpus();
  return {
    node: process.version,
    openssl: process.versions.openssl,
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
  };
}

/** A ratio as people read it: `12 x`, `1.3 x`. */
export function ratio(a: number, b: number): string {
  const r = a / b;
  return `${r >= 10 ? r.toFixed(0) : r.toFixed(2)} x`;
}
