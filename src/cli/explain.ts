import {
  type ExplainedAudience,
  type ExplainedClaim,
  type Explanation,
  explainPolicy,
  formatConditions,
} from '../policy/index.ts';
import { loadPolicy } from '../stages.ts';
import { EXIT } from './exit.ts';
import { type KeyReport, reportKeys } from './key-report.ts';
import { type Cli, print } from './program.ts';
import { table } from './render.ts';

interface Answer extends Explanation {
  readonly digest: string;
  readonly audiences: readonly (ExplainedAudience & {
    /** The key that would be sealed to now. */
    readonly kid: string | null;
    readonly thumbprint: string | null;
    /** Why there is none. */
    readonly problem?: string;
  })[];
}

/** `claimseal explain`: who reads which claim, with which key, and why. */
export function addExplain({ program, ends }: Cli): void {
  program
    .command('explain')
    .description('show who reads which claim, under which condition, with which key, and why')
    .requiredOption('--config <file>', 'the configuration')
    .option('--json', 'print the matrix as JSON')
    .addHelpText(
      'after',
      '\nExits 0 also where an audience has no key now (check tells), 2 when the configuration has mistakes.\n\nExample:\n  claimseal explain --config claimseal.yaml',
    )
    .action(
      ends(async (options: { readonly config: string; readonly json?: boolean }) => {
        const { config, digest } = await loadPolicy(options.config);
        const answer = withKeys(explainPolicy(config), digest, await reportKeys(config));
        await print(options.json ? `${JSON.stringify(answer)}\n` : render(answer));
        return EXIT.done;
      }),
    );
}

function withKeys(explanation: Explanation, digest: string, reports: readonly KeyReport[]): Answer {
  const byName = new Map(reports.map((report) => [report.audience, report]));
  return {
    digest,
    ...explanation,
    audiences: explanation.audiences.map((audience) => {
      const { chosen, problem } = byName.get(audience.name) ?? {};
      return {
        ...audience,
        // The policy may leave it to the key.
        alg: chosen?.alg ?? audience.alg,
        kid: chosen?.kid ?? null,
        thumbprint: chosen?.thumbprint ?? null,
        ...(problem === undefined ? {} : { problem }),
      };
    }),
  };
}

/** The terminal's width that the tables are made for. */
const COLUMNS = 100;

function render({ digest, audiences, claims, unlisted, unmatched }: Answer): string {
  const whens = new Map<string, number>();
  const numberOf = (text: string) => {
    const number = whens.get(text) ?? whens.size + 1;
    whens.set(text, number);
    return number;
  };
  const cells = claims.map((claim) => [
    claim.pointer === '' ? '(everything)' : claim.pointer,
    ...claim.readers.map((reader) => {
      if (reader.access !== 'sealed') return reader.access === 'clear' ? 'clear' : '-';
      if (reader.grants.some(({ when }) => when === null)) return 'reads';
      const numbers = reader.grants.map(({ when }) => numberOf(formatConditions(when!)));
      return `reads [${[...new Set(numbers)].join(' or ')}]`;
    }),
    whyOf(claim),
  ]);
  const head = ['CLAIM', ...audiences.map(({ name }) => name), 'WHY'];
  const matrix = fits([head, ...cells]) ? table([head, ...cells]) : lists(claims, cells, audiences);
  const conditions = [...whens].map(([text, n]) => `  [${n}] ${text}\n`).join('');
  return [
    matrix,
    conditions === '' ? '' : `\nwhen\n${conditions}`,
    `\n${table([['AUDIENCE', 'TOPIC', 'ALG', 'ENC', 'KEY'], ...audiences.map(audienceRow)])}`,
    ...audiences.flatMap(({ name, kid, thumbprint, problem, symmetric }) => [
      ...(thumbprint === null || thumbprint === kid ? [] : [`  ${name}: thumbprint ${thumbprint}\n`]),
      ...(symmetric ? [`  ${name}: SYMMETRIC: whoever seals can open\n`] : []),
      ...(problem === undefined ? [] : [`  ${name}: ${problem}\n`]),
    ]),
    `\nunlisted members: ${UNLISTED[unlisted]}\nunmatched events: ${UNMATCHED[unmatched]}\npolicy: ${digest}\n`,
  ].join('');
}

const UNLISTED = {
  drop: 'dropped, read by nobody',
  reject: 'their event goes to the quarantine',
  clear: 'in clear for everybody',
} as const;
const UNMATCHED = { drop: 'dropped', quarantine: 'go to the quarantine' } as const;

function whyOf({ designated, named }: ExplainedClaim): string {
  return designated ? named.map((path) => path.replace(/\.claims\[\d+\]$/, '')).join(', ') : named.join(', ');
}

function audienceRow({ name, topic, keys, alg, enc, kid, problem }: Answer['audiences'][number]): string[] {
  if (keys === 'none') return [name, topic, '-', '-', 'none: clear members only'];
  return [name, topic, alg ?? '?', enc ?? '', problem === undefined ? `kid ${kid ?? '-'}` : 'NO KEY'];
}

function fits(rows: readonly (readonly string[])[]): boolean {
  return table(rows)
    .split('\n')
    .every((line) => line.length <= COLUMNS);
}

/** Too many audiences for columns: each claim with its readers below it. */
function lists(
  claims: readonly ExplainedClaim[],
  cells: readonly (readonly string[])[],
  audiences: readonly { readonly name: string }[],
): string {
  return claims
    .map(({ designated }, row) => {
      const [pointer, ...readers] = cells[row]!;
      const why = readers.pop()!;
      const lines = designated
        ? readers.flatMap((cell, a) => (cell === '-' ? [] : [`  ${audiences[a]!.name} ${cell}\n`]))
        : ['  in clear for everybody\n'];
      return `${pointer}  (${why})\n${lines.join('')}`;
    })
    .join('');
}
