import { mkdir, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Option } from 'commander';
import { ClaimsealError } from '../errors.ts';
import { generateKeySet } from '../seal/index.ts';
import { keyId } from './arguments.ts';
import { EXIT } from './exit.ts';
import { type Cli, print } from './program.ts';

interface KeygenOptions {
  readonly kty: 'EC' | 'OKP' | 'RSA' | 'oct';
  readonly kid?: string;
  readonly out: string;
  readonly json?: boolean;
}

/** `claimseal keygen`: one key as JWK Sets (RFC 7517), the private file with mode 0600; never overwrites. */
export function addKeygen({ program, ends }: Cli): void {
  program
    .command('keygen')
    .description('make a key pair for one audience, as JWK Sets')
    .addOption(
      new Option('--kty <type>', 'EC (P-256), OKP (X25519), RSA (3072 bits) or oct (symmetric)')
        .choices(['EC', 'OKP', 'RSA', 'oct'])
        .default('EC'),
    )
    .option('--kid <kid>', 'key id; the RFC 7638 thumbprint unless given', keyId)
    .requiredOption(
      '--out <dir/name>',
      'writes NAME.jwks.json (public) and NAME.private.jwks.json (mode 0600)',
    )
    .option('--json', 'print and fail as JSON')
    .addHelpText('after', '\nExample:\n  claimseal keygen --kty EC --kid payroll-2026 --out keys/payroll')
    .action(
      ends(async (options: KeygenOptions) => {
        const set = generateKeySet({ kty: options.kty, kid: options.kid });
        const files = {
          ...(set.public === undefined ? {} : { public: `${options.out}.jwks.json` }),
          private: `${options.out}.private.jwks.json`,
        };
        await makeDirectory(dirname(options.out));
        // The public file first, so that a name already taken leaves no private key behind.
        if (files.public !== undefined) await create(files.public, set.public!, 0o644);
        let whole = false;
        try {
          await create(files.private, set.private, 0o600);
          whole = true;
        } finally {
          if (!whole && files.public !== undefined) await unlink(files.public);
        }
        await print(
          options.json
            ? `${JSON.stringify(files)}\n`
            : Object.entries(files)
                .map(([kind, file]) => `${kind.padEnd(8)} ${file}\n`)
                .join(''),
        );
        return EXIT.done;
      }),
    );
}

async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true }).catch((cause) => {
    throw unwritable(directory, cause, 'name a directory that you may write to');
  });
}

/** Creates the file; one that exists stays as it is, since somebody may still open with it. */
async function create(file: string, text: string, mode: number): Promise<void> {
  await writeFile(file, text, { flag: 'wx', mode }).catch(async (cause: NodeJS.ErrnoException) => {
    // What was begun and not finished (a full disk) is no key.
    if (cause.code !== 'EEXIST') await unlink(file).catch(() => {});
    throw unwritable(
      file,
      cause,
      'choose another name (keygen never overwrites) in a directory that you may write to',
    );
  });
}

function unwritable(file: string, cause: NodeJS.ErrnoException, remedy: string): ClaimsealError {
  return new ClaimsealError('file.unwritable', `cannot be written (${cause.code ?? 'unknown'})`, {
    place: { file },
    remedy,
    cause,
  });
}
