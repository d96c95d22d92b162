import { ConfigError, type Place } from '../errors.ts';
import { showError } from '../ops/index.ts';

/** An error for a terminal: code and message, place, remedy, each on lines of its own. */
export function errorText(error: unknown, debug: boolean): string {
  const { code, message, place, remedy, stack } = showError(error, debug);
  const lines = [`claimseal: ${code}: ${message}`];
  if (place !== undefined && !(error instanceof ConfigError)) lines.push(`  at: ${placeText(place)}`);
  if (remedy !== undefined) lines.push(`  remedy: ${remedy}`);
  for (const frame of stack ?? []) lines.push(`    ${frame}`);
  return `${lines.join('\n')}\n`;
}

/** An error for a program: one line of JSON; a configuration's mistakes one by one. */
export function errorJson(error: unknown, debug: boolean): string {
  const shown = showError(error, debug);
  const mistakes = error instanceof ConfigError ? { mistakes: error.mistakes } : {};
  return `${JSON.stringify({ error: { ...shown, ...mistakes } })}\n`;
}

function placeText(place: Place): string {
  return Object.entries(place)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

/** Rows as columns of equal width, for a terminal. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
