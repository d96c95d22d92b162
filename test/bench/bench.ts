/**
 * `npm run bench`: what sealing costs against other ways to do it, and what the whole stream costs against only
 * copying its outputs. Every figure is measured in this run; compare ratios, not absolutes.
 *
 *   npm run bench -- [--json] [--quick] [--no-broker]
 */

import { startBroker } from '../support/broker.ts';
import { build } from '../support/built.ts';
import { machine, ratio } from './measure.ts';
import { benchSealing, CONTENDERS, type SealingRow } from './sealing.ts';
import { benchStream, type StreamRow } from './stream.ts';

const flags = new Set(process.argv.slice(2));
const unknown = [...flags].filter((flag) => !['--json', '--quick', '--no-broker'].includes(flag));
if (unknown.length > 0) {
  process.stderr.write(`bench: expected --json, --quick or --no-broker, found ${unknown.join(' ')}\n`);
  process.exit(2);
}
const quick = flags.has('--quick');
const say = (line: string) => {
  if (!flags.has('--json')) process.stdout.write(`${line}\n`);
};

await build();
const where = machine();
say(`${where.cpu}, ${where.cores} cores, Node ${where.node}, OpenSSL ${where.openssl}`);

say('\nSealing one event, microseconds (median) and how many times longer the other takes');
say(
  row(['bytes', 'bare AEAD', 'claimseal', 'of bare', 'jose dir', '', 'reuse: off', 'jose ECDH-ES', '', '']),
);
const sealing = await benchSealing(quick ? [256] : [32, 256, 1024, 4096, 16_384]);
for (const line of sealing) say(sealingLine(line));
say(`  bare AEAD     ${CONTENDERS.bare}
  claimseal     ${CONTENDERS.claimseal}: header, base64url and JWE included
  jose dir      ${CONTENDERS.dir}; the ratio is against claimseal
  reuse: off    ${CONTENDERS.fresh}
  jose ECDH-ES  ${CONTENDERS.jose}; its first ratio is against claimseal, which reuses a content
                key for up to 1,000,000 events where jose wraps one for each; its second against reuse: off,
                where both wrap one for each`);

const stream: StreamRow[] = [];
const broker = flags.has('--no-broker') ? undefined : await startBroker({ log: () => {} });
if (broker?.kind === 'none') say(`\nNo stream: no broker.\n  ${broker.reasons.join('\n  ')}`);
else if (broker !== undefined) {
  try {
    const size = quick ? { events: 20_000, rounds: 1 } : { events: 60_000, rounds: 3 };
    say(`\nThe stream: ${size.events} events of about 700 bytes, four partitions, broker: ${broker.kind}`);
    say(row(['delivery', 'claimseal', 'bare copy', 'of copy']));
    for (const delivery of ['exactly-once', 'at-least-once'] as const) {
      const line = await benchStream(broker.brokers, delivery, size);
      stream.push(line);
      say(streamLine(line));
    }
    say(`  Events a second, median of ${size.rounds}; each event becomes four records (three sealed, one clear). The copy is
  bare kafkajs that reads the same events and produces the same bytes, sealed beforehand and held in memory.`);
  } finally {
    await broker.stop();
  }
}
if (flags.has('--json')) process.stdout.write(`${JSON.stringify({ machine: where, sealing, stream })}\n`);

function sealingLine({ bytes, timings }: SealingRow): string {
  const us = (name: string) => timings.find((t) => t.name === name)!.us;
  const { bare, claimseal, dir, fresh, jose } = CONTENDERS;
  return row([
    String(bytes),
    ...[us(bare).toFixed(2), us(claimseal).toFixed(2), ratio(us(claimseal), us(bare))],
    ...[us(dir).toFixed(1), ratio(us(dir), us(claimseal))],
    us(fresh).toFixed(0),
    ...[us(jose).toFixed(0), ratio(us(jose), us(claimseal)), ratio(us(jose), us(fresh))],
  ]);
}

function streamLine({ delivery, claimseal, copy }: StreamRow): string {
  const [ours, theirs] = [median(claimseal), median(copy)];
  return row([delivery, ours.toFixed(0), theirs.toFixed(0), ratio(ours, theirs)]);
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]!;
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(14) : cell.padStart(12))).join('');
}
