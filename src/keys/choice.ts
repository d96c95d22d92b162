/** Choosing a recipient key among those of a set (design: the first in document order that fits). Pure. */
import type { RecipientKey } from '../event.ts';

/** A key of the set and when it was first seen there, in ms since the epoch; -Infinity for one known from the start. */
export interface Seen {
  readonly key: RecipientKey;
  readonly sinceMs: number;
}

export interface Choice {
  readonly key: RecipientKey | undefined;
  /** The choice stands until then, unless the set changes. */
  readonly untilMs: number;
}

/** Why a key may not be sealed to at `nowMs`; undefined where it may (nbf <= now < exp, in seconds). */
export function outsideValidity({ nbf, exp }: RecipientKey, nowMs: number): string | undefined {
  if (nbf !== undefined && nowMs < nbf * 1000) return `valid only from ${instant(nbf)} (nbf)`;
  if (exp !== undefined && nowMs >= exp * 1000) return `expired at ${instant(exp)} (exp)`;
  return undefined;
}

/**
 * The first key that is valid and has been in the set for `activateAfterMs`, so that its readers had time to take it
 * up; where no valid key has, the first valid one, since the set as it stands is obeyed.
 */
export function choose(keys: readonly Seen[], activateAfterMs: number, nowMs: number): Choice {
  const valid = keys.filter(({ key }) => outsideValidity(key, nowMs) === undefined);
  const active = valid.find(({ sinceMs }) => sinceMs + activateAfterMs <= nowMs);
  const turns = keys.flatMap(({ key, sinceMs }) => [
    (key.nbf ?? Number.NEGATIVE_INFINITY) * 1000,
    (key.exp ?? Number.POSITIVE_INFINITY) * 1000,
    sinceMs + activateAfterMs,
  ]);
  return {
    key: (active ?? valid[0])?.key,
    untilMs: Math.min(...turns.filter((turn) => turn > nowMs), Number.POSITIVE_INFINITY),
  };
}

function instant(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString();
}
