import {
  type ExplainedAudience,
  type ExplainedClaim,
  type ExplainedReader,
  type Explanation,
  explainPolicy,
  formatConditions,
} from '../policy/index.ts';
import { loadPolicy } from '../stages.ts';
import { EXIT } from './exit.ts';
import { type KeyReport, printable, reportKeys } from './key-report.ts';
import { type Cli, print } from './program.ts';
import { table } from './render.ts';

type AudienceWithKey = ExplainedAudience & {
  /** The key that would be sealed to now; null where there is none, `check` says why. */
  readonly kid: string | null;
  readonly thumbprint: string | null;
};

/** What `--json` prints. */
interface Answer extends Explanation {
  readonly digest: string;
  readonly audiences: readonly AudienceWithKey[];
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
        const keys = await reportKeys(config);
        const answer = withKeys(explainPolicy(config), digest, keys);
        await print(options.json ? `${JSON.stringify(answer)}\n` : render(answer, keys));
        return EXIT.done;
      }),
    );
}

function withKeys(explanation: Explanation, digest: string, keys: readonly KeyReport[]): Answer {
  const chosen = new Map(keys.map((report) => [report.audience, report.chosen]));
  return {
    digest,
    ...explanation,
    audiences: explanation.audiences.map(({ name, topic, keys, alg, enc, symmetric }) => {
      const key = chosen.get(name);
      return {
        ...{ name, topic, keys },
        // The policy may leave it to the key.
        alg: key?.alg ?? alg,
        enc,
        kid: key?.kid ?? null,
        thumbprint: key?.thumbprint ?? null,
        symmetric,
      };
    }),
  };
}

// ---- for people --------------------------------------------------------------------------------

/** The terminal's width that the tables are made for. */
const COLUMNS = 100;
const fits = (text: string) => text.split('\n').every((line) => line.length <= COLUMNS);

function render(
  { digest, audiences, claims, unlisted, unmatched }: Answer,
  keys: readonly KeyReport[],
): string {
  const conditions = numberConditions(claims);
  const notes = audiences.flatMap(({ name, kid, thumbprint, symmetric }) => {
    const problem = keys.find(({ audience }) => audience === name)?.problem;
    return [
      ...(thumbprint === null || thumbprint === kid ? [] : [`  ${name}: thumbprint ${thumbprint}\n`]),
      ...(symmetric ? [`  ${name}: SYMMETRIC: whoever seals can open\n`] : []),
      ...(problem === undefined ? [] : [`  ${name}: ${printable(problem)}\n`]),
    ];
  });
  return [
    matrix(claims, audiences, conditions),
    conditions.size === 0 ? '' : '\nwhen\n',
    ...[...conditions].map(([text, number]) => `  [${number}] ${wrapped(printable(text))}\n`),
    `\n${audienceTable(audiences)}`,
    ...notes,
    `\nunlisted members: ${UNLISTED[unlisted]}\nunmatched events: ${UNMATCHED[unmatched]}\npolicy: ${digest}\n`,
  ].join('');
}

const UNLISTED = {
  drop: 'dropped, read by nobody',
  reject: 'their event goes to the quarantine',
  clear: 'in clear for everybody',
} as const;
const UNMATCHED = {
  drop: 'dropped, but for audiences without keys',
  quarantine: 'go to the quarantine',
} as const;

/** Conditions by their text: they are too long to stand in a cell, and many claims share one. */
function numberConditions(claims: readonly ExplainedClaim[]): ReadonlyMap<string, number> {
  const whens = claims.flatMap(({ readers }) =>
    readers.flatMap(({ grants }) => grants.map(({ when }) => when)),
  );
  const texts = new Set(whens.flatMap((when) => (when === null ? [] : [formatConditions(when)])));
  return new Map([...texts].map((text, i) => [text, i + 1]));
}

/** Claim by audience; where columns would be too wide, each claim with its readers below it. */
function matrix(
  claims: readonly ExplainedClaim[],
  audiences: readonly AudienceWithKey[],
  conditions: ReadonlyMap<string, number>,
): string {
  const cellOf = ({ how, grants }: ExplainedReader): string => {
    if (how === 'clear') return 'clear';
    if (grants.some(({ when }) => when === null)) return 'reads';
    const numbers = new Set(grants.map(({ when }) => conditions.get(formatConditions(when!))));
    return `reads [${[...numbers].join(' or ')}]`;
  };
  const wide = table([
    ['CLAIM', ...audiences.map(({ name }) => name), 'WHY'],
    ...claims.map((claim) => [
      nameOf(claim),
      ...audiences.map(({ name }) => {
        const reader = claim.readers.find(({ audience }) => audience === name);
        return reader === undefined ? '-' : cellOf(reader);
      }),
      whyOf(claim),
    ]),
  ]);
  if (fits(wide)) return wide;
  return claims
    .map((claim) => {
      const readers = claim.designated
        ? claim.readers.map((reader) => `  ${reader.audience} ${cellOf(reader)}\n`)
        : ['  everybody\n'];
      return `${nameOf(claim)}  (${whyOf(claim)})\n${readers.join('')}`;
    })
    .join('');
}

const nameOf = ({ pointer }: ExplainedClaim) => (pointer === '' ? '(everything)' : printable(pointer));

/** The grants that anybody reads it by. */
function whyOf({ designated, readers }: ExplainedClaim): string {
  if (!designated) return 'clear';
  const indexes = new Set(readers.flatMap(({ grants }) => grants.map(({ index }) => index)));
  return [...indexes]
    .sort((a, b) => a - b)
    .map((index) => `grants[${index}]`)
    .join(', ');
}

function audienceTable(audiences: readonly AudienceWithKey[]): string {
  const rows = audiences.map(({ name, topic, keys, alg, enc, kid, thumbprint }) => {
    if (keys === 'none') return [name, topic, '-', '-', 'none: clear members only'];
    const key = thumbprint === null ? 'NO KEY' : `kid ${kid === null ? '-' : printable(kid)}`;
    return [name, topic, alg ?? '?', enc ?? '', key];
  });
  const wide = table([['AUDIENCE', 'TOPIC', 'ALG', 'ENC', 'KEY'], ...rows]);
  if (fits(wide)) return wide;
  return rows.map(([name, ...cells]) => `${name}\n${cells.map((cell) => `  ${cell}\n`).join('')}`).join('');
}

/** A condition that is too long for a line, broken where it says `and` or `or`. */
function wrapped(text: string): string {
  const lines = [''];
  for (const part of text.split(/(?= (?:and|or) )/)) {
    if (lines.at(-1) !== '' && lines.at(-1)!.length + part.length > COLUMNS - 6) lines.push(`    ${part}`);
    else lines.push(`${lines.pop()}${part}`);
  }
  return lines.join('\n  ');
}
