/** What options hold, from text; whatever is wrong with it is a usage error. */
import { InvalidArgumentError } from 'commander';

/** `A,B` as a list without repetition. */
export function list(text: string): readonly string[] {
  return [...new Set(text.split(',').map((item) => item.trim()))];
}

/** One more `topic/partition/offset`, spelled as Kafka spells them. */
export function moreCoordinates(text: string, before: readonly string[]): readonly string[] {
  if (!/^[A-Za-z0-9._-]{1,249}\/(0|[1-9]\d{0,9})\/(0|[1-9]\d{0,18})$/.test(text)) {
    throw new InvalidArgumentError('expected topic/partition/offset, numbers without leading zeros.');
  }
  return [...before, text];
}

/** A `kid` that readers and terminals take. */
export function keyId(text: string): string {
  if (text.length > 0 && text.length <= 256 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) return text;
  throw new InvalidArgumentError('expected 1 to 256 characters, all printable.');
}

export function byteCount(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('expected a number of bytes.');
  return Number(text);
}
