import { ConfigError, type Mistake } from '../errors.ts';
import { checkPolicy } from '../policy/index.ts';
import { type Loaded, loadPolicy } from '../stages.ts';
import { EXIT } from './exit.ts';
import { type KeyReport, reportKeys } from './key-report.ts';
import { type Cli, print } from './program.ts';

interface Report {
  readonly ok: boolean;
  readonly digest?: string;
  readonly mistakes: readonly Mistake[];
  readonly keys: readonly KeyReport[];
  readonly warnings: readonly string[];
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
      '\nExits 1 when there are mistakes or an audience has no key to seal to.\n\nExample:\n  claimseal check --config claimseal.yaml',
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
    warnings: checkPolicy(config),
  };
}

/** Mistakes are what this command is asked for, so they are its answer; a file that cannot be read is not. */
function mistakesOf(error: unknown): readonly Mistake[] {
  if (error instanceof ConfigError) return error.mistakes;
  throw error;
}
