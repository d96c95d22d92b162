// Opens lines: node lines.mjs KEYS.jwks.json AUDIENCE < events.ndjson
// A line is a record's value or, as `claimseal seal --out` writes it, {"topic","key","headers","value"}.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { open } from './open.mjs';

const [keysFile, audience] = process.argv.slice(2);
const { keys } = JSON.parse(readFileSync(keysFile, 'utf8'));
let number = 0;
for await (const line of createInterface({ input: process.stdin })) {
  number += 1;
  try {
    const record = JSON.parse(line);
    console.log(await open('sealed' in record ? line : record.value, keys, audience));
  } catch {
    console.error(`${number} refused`);
    process.exitCode = 1;
  }
}
