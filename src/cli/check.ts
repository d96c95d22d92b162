import { ConfigError, type Mistake } from '../errors.ts';
import { formatPath, policyWarnings, QUARANTINE, type Warning } from '../policy/index.ts';
import { type Loaded, loadPolicy } from '../stages.ts';
import { EXIT } from './exit.ts';
import { type KeyReport, printable, reportKeys } from './key-report.ts';
import { type Cli, print } from './program.ts';
import { table } from './render.ts';

interface Report {
  readonly ok: boolean;
  readonly digest?: string;
  readonly mistakes: readonly Mistake[];
  readonly keys: readonly KeyReport[];
  readonly warnings: readonly Warning[];
}

/** `claimseal check`: every mistake of a configuration at once, what its key files are good for, warnings. */
export function addCheck({ program, ends }: Cli): void {
  program
    .command('check')
    .description('find every mistake of a configuration, and look into its key files')
    .requiredOption('--config <file>', 'the configuration')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExits 0 when all is well, 1 when there are mistakes or an audience has no key to seal to, 2 when the file cannot be read.\n\nExample:\n  claimseal check --config claimseal.yaml',
    )
    .action(
      ends(async (options: { readonly config: string; readonly json?: boolean }) => {
        const report = await examine(options.config);
        await print(options.json ? `${JSON.stringify(report)}\n` : render(options.config, report));
        return report.ok ? EXIT.done : EXIT.negative;
      }),
    );
}

async function examine(file: string): Promise<Report> {
  const loaded = await loadPolicy(file).catch(mistakesOf);
  if (Array.isArray(loaded)) return { ok: false, mistakes: loaded, keys: [], warnings: [] };
  const { config, digest } = loaded as Loaded;
  const keys = await reportKeys(config);
  return {
    ok: keys.every(({ problem }) => problem === undefined),
    digest,
    mistakes: [],
    keys,
    warnings: [...policyWarnings(config), ...sharedKeys(keys)],
  };
}

/** Mistakes are what this command is asked for, so they are its answer; a file that cannot be read is not. */
function mistakesOf(error: unknown): readonly Mistake[] {
  if (error instanceof ConfigError) return error.mistakes;
  throw error;
}

/** Two audiences with one key are one audience. */
function sharedKeys(keys: readonly KeyReport[]): Warning[] {
  return keys.flatMap(({ audience, chosen }, i) => {
    const other = keys.slice(0, i).find((o) => chosen && o.chosen?.thumbprint === chosen.thumbprint);
    return other === undefined
      ? []
      : [
          {
            path: keysPath(audience),
            message: `the same key as ${other.audience}: each reads what both may`,
          },
        ];
  });
}

const keysPath = (audience: string) =>
  audience === QUARANTINE ? 'quarantine.keys' : formatPath(['audiences', audience, 'keys']);

function render(file: string, { ok, digest, mistakes, keys, warnings }: Report): string {
  const blocks = mistakes.map(({ path, expected, got, hint }) =>
    [
      `${file}: ${path}`,
      `  expected  ${expected}`,
      `  got       ${got}`,
      ...(hint === undefined ? [] : [`  hint      ${hint}`]),
      '',
    ].join('\n'),
  );
  if (keys.length > 0) blocks.push(table(keys.map(keyRow)));
  for (const { audience, refused } of keys) {
    for (const reason of refused) blocks.push(`${audience}: not used: ${printable(reason)}\n`);
  }
  if (warnings.length > 0) {
    blocks.push(`\n${warnings.map(({ path, message }) => `warning: ${path}: ${message}\n`).join('')}`);
  }
  const count = `${mistakes.length} mistake${mistakes.length === 1 ? '' : 's'}`;
  const unusable = keys.filter(({ problem }) => problem !== undefined).length;
  if (ok) blocks.push(`\n${file}: good; policy ${digest}\n`);
  else blocks.push(`\n${file}: ${mistakes.length > 0 ? count : `${unusable} without a key to seal to`}\n`);
  return blocks.join('');
}

function keyRow({ audience, chosen, problem }: KeyReport): string[] {
  if (chosen === undefined) return [audience, 'no key', printable(problem ?? '')];
  const { alg, kid = '-', thumbprint } = chosen;
  return [audience, alg, `kid ${printable(kid)}`, kid === thumbprint ? '' : `thumbprint ${thumbprint}`];
}
