/** What is allowed, and yet worth a second look before it goes live. */
import type { Config, GrantConfig } from './document.ts';
import { formatPath, type Path } from './mistakes.ts';
import { covers } from './pointer.ts';
import { isLoopback } from './rules.ts';

export interface Warning {
  /** Where, as a path into the document. */
  readonly path: string;
  readonly message: string;
}

/** Warnings about a policy that has no mistakes, in the document's order. */
export function checkPolicy(config: Config): readonly Warning[] {
  const warnings: Warning[] = [];
  const warn = (path: Path, message: string) => warnings.push({ path: formatPath(path), message });
  const { audiences, grants, kafka, record } = config;

  if (kafka?.ssl === false && !kafka.brokers.every(isLoopback)) {
    warn(
      ['kafka', 'allowPlaintext'],
      'source events cross the network unencrypted: whoever listens reads every claim',
    );
  }
  for (const [name, audience] of Object.entries(audiences)) {
    if (audience.keys === 'none') continue;
    if (audience.symmetric) {
      warn(['audiences', name, 'symmetric'], 'the key is shared: whoever seals can open, claimseal included');
    }
    if (audience.pad < 16) {
      warn(['audiences', name, 'pad'], 'the length of a JWE tells which of a few values it holds');
    }
    if (!grants.some(({ to }) => to.includes(name))) {
      warn(['audiences', name], 'no grant names it, so it gets no event: only tombstones reach its topic');
    }
  }
  warnAboutGrants(grants, warn);
  if (config.unlisted === 'clear') {
    warn(['unlisted'], 'a member that a producer adds is in clear for everybody until somebody grants it');
  }
  if (record.key === 'pass') {
    warn(['record', 'key'], 'the source key is in clear for everybody, and audiences can join on it');
  }
  if (config.quarantine === undefined) {
    warn(['quarantine'], 'there is none: the first event that cannot be sealed halts the stream');
  }
  if (Object.values(audiences).some(({ keys }) => keys !== 'none')) {
    warn(
      ['audiences'],
      'outputs are not signed and anyone can encrypt to a public key: their origin rests on who may write to the topics',
    );
  }
  return warnings;
}

function warnAboutGrants(grants: readonly GrantConfig[], warn: (path: Path, message: string) => void): void {
  if (grants.length === 0) warn(['grants'], 'there are none: nothing is sealed for anybody');
  for (const [g, grant] of grants.entries()) {
    // Of two that say the same the later one is the idle one.
    const by = grants.findIndex(
      (other, o) => o !== g && says(other, grant) && !(o > g && says(grant, other)),
    );
    if (by !== -1) warn(['grants', g], `adds nothing to ${formatPath(['grants', by])}`);
  }
}

/** Whether everything that `inner` gives, `outer` gives too. */
function says(outer: GrantConfig, inner: GrantConfig): boolean {
  return (
    (outer.when === undefined || JSON.stringify(outer.when) === JSON.stringify(inner.when)) &&
    inner.to.every((name) => outer.to.includes(name)) &&
    inner.claims.every((claim) => outer.claims.some((other) => covers(other, claim)))
  );
}
