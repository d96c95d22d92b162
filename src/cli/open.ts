import { readFile } from 'node:fs/promises';
import { asClaimsealError, ClaimsealError } from '../errors.ts';
import { openStream, parseOutputLine, readLines } from '../files/index.ts';
import { createEventOpener, createQuarantineOpener, type EventOpener } from '../opener.ts';
import { parseSubject, QUARANTINE } from '../policy/index.ts';
import { byteCount, list } from './arguments.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { type Cli, print } from './program.ts';

interface OpenOptions {
  readonly keys: string;
  readonly audience: string;
  readonly id?: readonly string[];
  readonly in: string;
  readonly sealed: string;
  readonly issuer?: string;
  readonly clear?: readonly string[];
  readonly maxBytes?: number;
}

/** `claimseal open`: what one audience can read of what was sealed for it. */
export function addOpen({ program, ends }: Cli): void {
  program
    .command('open')
    .description('open what was sealed for one audience')
    .requiredOption('--keys <file>', "the audience's private JWK Set")
    .requiredOption('--audience <name>', 'who this reader is: the only `aud` that opens')
    .option('--id <pointers>', 'source.id of the policy: /source,/id, or coordinates', list)
    .option('--in <file>', 'output lines of `claimseal seal`, or bare values; - is standard input', '-')
    .option('--sealed <pointer>', 'place of the JWE in a value', '/sealed')
    .option('--issuer <iss>', 'the only `iss` that opens; any unless given')
    .option(
      '--clear <pointers>',
      'clear of the policy, unless unlisted is clear: other members do not open',
      list,
    )
    .option('--max-bytes <n>', 'largest value, in bytes; 16 MiB unless given', byteCount)
    .option('--json', 'print errors as JSON')
    .addHelpText(
      'after',
      `
Events come out one a line, as the audience's view. A line that does not open goes to standard error as its number
(from 1) and a code; then the exit code is 1.

The audience quarantine opens what was set aside: coordinates, key, value and headers in base64, code and reason. It
takes no --id, --clear and --sealed.

Example:
  claimseal open --keys keys/payroll.private.jwks.json --audience payroll --id /source,/id --in sealed/identity.payroll.ndjson`,
    )
    .action(ends(open));
}

async function open(options: OpenOptions): Promise<ExitCode> {
  const opener = await openerFor(options);
  for (const { index, reason } of opener.refused) {
    process.stderr.write(`key ${index} of ${options.keys} is not used: ${reason}\n`);
  }
  let failed = 0;
  for await (const lines of readLines(openStream(options.in), options.in)) {
    const opened: Buffer[] = [];
    let failures = '';
    for (const { number, bytes } of lines) {
      try {
        const record = parseOutputLine(bytes);
        // A tombstone says that a key is gone; there is no event in it.
        if (record.value !== null) opened.push(opener.open({ ...record, value: record.value }), NEW_LINE);
      } catch (error) {
        failed += 1;
        failures += `line ${number + 1}: ${asClaimsealError(error).code}\n`;
      }
    }
    if (failures !== '') process.stderr.write(failures);
    await print(Buffer.concat(opened));
  }
  return failed > 0 ? EXIT.negative : EXIT.done;
}

async function openerFor(options: OpenOptions): Promise<EventOpener> {
  const { audience, id, issuer, clear, maxBytes, keys: file, sealed } = options;
  const expecting = {
    ...(issuer === undefined ? {} : { issuer }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
  if (audience === QUARANTINE) {
    if (id !== undefined || clear !== undefined) {
      throw new ClaimsealError(
        'config.invalid',
        'expected no --id and no --clear for the quarantine, found some',
        {
          remedy:
            'leave them out: a quarantined record is bound to its coordinates, and has nothing in clear',
        },
      );
    }
    return createQuarantineOpener({ keys: await readKeys(file), ...expecting });
  }
  if (id === undefined) {
    throw new ClaimsealError('config.invalid', 'expected --id, found none', {
      remedy: 'take over `source.id` of the policy, such as --id /source,/id or --id coordinates',
    });
  }
  const place = parseSubject(sealed);
  if (place?.kind !== 'pointer') {
    throw new ClaimsealError('config.invalid', `expected a JSON Pointer for --sealed, found ${sealed}`, {
      remedy: 'take over `sealed` of the policy, such as /sealed',
    });
  }
  return createEventOpener({
    audience,
    id: id.length === 1 && id[0] === 'coordinates' ? 'coordinates' : id,
    keys: await readKeys(file),
    sealedPath: place.pointer,
    ...(clear === undefined ? {} : { clear }),
    ...expecting,
  });
}

const NEW_LINE = Buffer.from('\n');

function readKeys(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new ClaimsealError('keys.unreadable', `cannot be read (${cause.code ?? 'unknown'})`, {
      place: { file },
      remedy: 'name the private JWK Set of this audience',
      cause,
    });
  });
}
