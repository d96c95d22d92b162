// Opens lines: node lines.mjs KEYS.jwks.json AUDIENCE < events.ndjson
// A line is a record's value or, as `claimseal seal --out` writes it, {"topic","key","headers","value"}.
import { readFileSync } from 'node:fs';
import { open } from './open.mjs';

const [keysFile, audience] = process.argv.slice(2);
const { keys } = JSON.parse(readFileSync(keysFile, 'utf8'));
// not node:readline, which takes U+2028 within a JSON string for the end of a line
const lines = readFileSync(0, 'utf8').split('\n').filter(Boolean);
for (const [index, line] of lines.entries()) {
  try {
    const record = JSON.parse(line);
    console.log(await open('sealed' in record ? line : record.value, keys, audience));
  } catch {
    console.error(`${index + 1} refused`);
    process.exitCode = 1;
  }
}
