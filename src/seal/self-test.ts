/** Seals and opens once with throw-away keys before anything real is sealed. */
import { ClaimsealError } from '../errors.ts';
import type { RecipientKey } from '../event.ts';
import { parseJwks, parsePrivateJwks } from './jwks.ts';
import { generateKeySet } from './keygen.ts';
import type { Kind } from './kinds.ts';
import { reveal } from './material.ts';
import { openCompact } from './open.ts';
import { createSealer } from './sealer.ts';

const KTY = { 'P-256': 'EC', X25519: 'OKP', RSA: 'RSA', oct: 'oct' } as const satisfies Record<Kind, string>;

/** One combination to try. */
export interface SelfTestCase {
  readonly key: RecipientKey;
  readonly enc: string;
}

/**
 * For each combination of algorithm, kind of key and `enc` among `cases`: two messages sealed to a new key of that
 * kind must open to their bytes, and must not once a bit of them is flipped.
 * @throws ClaimsealError `seal.selfTest` on any difference.
 */
export function selfTest(cases: readonly SelfTestCase[]): void {
  const tried = new Set<string>();
  for (const { key, enc } of cases) {
    const { kind } = reveal(key.material);
    const name = `${key.alg} ${enc} with ${kind}`;
    if (tried.has(name)) continue;
    tried.add(name);
    let passed = false;
    try {
      passed = roundTrip(key.alg, kind, enc);
    } catch {
      // whatever it was, the message below says which combination, and nothing of a key
    }
    if (!passed) {
      throw new ClaimsealError('seal.selfTest', `${name}: what was sealed did not open to the same bytes`, {
        remedy: 'do not use this build of Node with this algorithm; compare `node -p process.versions`',
      });
    }
  }
}

function roundTrip(alg: string, kind: Kind, enc: string): boolean {
  const made = generateKeySet({ kty: KTY[kind], rsaBits: 2048 });
  const { keys: recipients } = parseJwks(Buffer.from(withAlg(made.public ?? made.private, alg)), {
    alg,
    symmetric: true,
  });
  const keys = parsePrivateJwks(Buffer.from(withAlg(made.private, alg)));
  const sealer = createSealer({
    issuer: 'claimseal:self-test',
    recipients: [{ aud: 'self', name: 'self', typ: 'view', enc, pad: 64, reuse: true }],
    observe: () => {},
  });
  try {
    sealer.use(new Map([['self', recipients[0]!]]));
    const open = (jwe: string) =>
      openCompact(jwe, { aud: 'self', typ: 'view', keys, algs: [alg], encs: [enc], maxBytes: 65536 });
    const ivs = new Set<string | undefined>();
    return ['{"claim":"\u00e9"}', '{}'].every((text, nth) => {
      const jwe = sealer.seal('self', '["self-test"]', Buffer.from(text));
      if (ivs.add(jwe.split('.')[2]).size !== nth + 1) return false;
      const dot = jwe.lastIndexOf('.') + 1;
      const changed = jwe.slice(0, dot) + (jwe[dot] === 'A' ? 'B' : 'A') + jwe.slice(dot + 1);
      return open(jwe).plaintext.toString().trimEnd() === text && refuses(() => open(changed));
    });
  } finally {
    sealer.close();
  }
}

function refuses(open: () => unknown): boolean {
  try {
    open();
    return false;
  } catch {
    return true;
  }
}

function withAlg(set: string, alg: string): string {
  const { keys } = JSON.parse(set) as { keys: object[] };
  return JSON.stringify({ keys: keys.map((jwk) => ({ ...jwk, alg })) });
}
