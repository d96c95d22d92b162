import { asClaimsealError } from '../errors.ts';
import type { Observe } from '../event.ts';
import { type KeySource, openKeys } from '../keys/index.ts';
import type { Config } from '../policy/index.ts';
import { parseJwks } from '../seal/index.ts';
import { keySourcesOf } from '../stages.ts';

/** What an audience's key file is good for now. */
export interface KeyReport {
  readonly audience: string;
  readonly file: string;
  /** The key that would be sealed to. */
  readonly chosen?: { readonly kid: string | undefined; readonly thumbprint: string; readonly alg: string };
  /** Keys of the set that are not used, and why. */
  readonly refused: readonly string[];
  /** Why nothing could be sealed to it. */
  readonly problem?: string;
}

/** Looks into the key file of each audience, and of the quarantine, by the same rules as `run`. Never throws. */
export function reportKeys(config: Config): Promise<readonly KeyReport[]> {
  return Promise.all(keySourcesOf(config).map(reportOne));
}

async function reportOne(source: KeySource): Promise<KeyReport> {
  const refused: string[] = [];
  const found = { audience: source.name, file: source.file, refused };
  const observe: Observe = (notice) => {
    if (notice.type === 'key' && notice.change === 'refused') refused.push(notice.reason ?? '');
  };
  try {
    const keys = await openKeys({ audiences: [source], parse: parseJwks, observe, now: Date.now });
    keys.close();
    const { kid, thumbprint, alg } = keys.current().get(source.aud)!;
    return { ...found, chosen: { kid, thumbprint, alg } };
  } catch (thrown) {
    // One audience's trouble is what this report is for; it must not hide that of the others.
    return { ...found, problem: asClaimsealError(thrown).message };
  }
}

/** Text of somebody else's key file for a terminal: what would move its cursor or hide text is spelled out. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
