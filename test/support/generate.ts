/**
 * Writes what is generated: from the configuration's one declaration the JSON Schema for editors and the README's
 * reference, from the tested readers of other languages the README's snippets. With `--check` it writes nothing
 * and exits 1 where a file differs.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { configJsonSchema, configReference } from '../../src/policy/index.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SCHEMA = 'schemas/config.schema.json';
const [BEGIN, END] = ['<!-- config -->', '<!-- /config -->'];

const SNIPPET = /(<!-- snippet (\S+) -->\n)[\s\S]*?(<!-- \/snippet -->)/g;
const LANGUAGES: Readonly<Record<string, string>> = { mjs: 'js', java: 'java', go: 'go', py: 'python' };

function readme(): string {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8').replace(SNIPPET, (_, begin, file, end) => {
    const code = readFileSync(join(ROOT, file), 'utf8');
    return `${begin}\n\`\`\`${LANGUAGES[file.split('.').at(-1)]}\n${code}\`\`\`\n\n${end}`;
  });
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`README.md: expected ${BEGIN} and then ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${configReference()}\n${text.slice(end)}`;
}

/** As Biome would have it, since it looks at generated files too. */
function formatted(file: string, text: string): string {
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [biome, 'format', `--stdin-file-path=${file}`],
    { cwd: ROOT, input: text, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const generated = new Map([
  [SCHEMA, formatted(SCHEMA, JSON.stringify(configJsonSchema()))],
  ['README.md', readme()],
]);

const check = process.argv.includes('--check');
for (const [file, expected] of generated) {
  const path = join(ROOT, file);
  let found: string | undefined;
  try {
    found = readFileSync(path, 'utf8');
  } catch {
    found = undefined;
  }
  if (found === expected) continue;
  if (check) {
    process.stderr.write(`${file} differs from what it is generated from: run npm run generate\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, expected);
    process.stdout.write(`wrote ${file}\n`);
  }
}
