/** What is allowed, and yet worth a second look before it goes live. */
import type { Config, GrantConfig } from './document.ts';
import { formatPath, type Path } from './mistakes.ts';
import { covers, type Pointer, WILDCARD } from './pointer.ts';
import { isLoopback } from './rules.ts';

export interface Warning {
  /** Where, as a path into the document. */
  readonly path: string;
  readonly message: string;
}

/** Warnings about a policy that has no mistakes, in the document's order. */
export function policyWarnings(config: Config): readonly Warning[] {
  const warnings: Warning[] = [];
  const warn = (path: Path, message: string) => warnings.push({ path: formatPath(path), message });
  const { audiences, grants, kafka, record } = config;

  if (kafka === undefined)
    warn(['kafka'], 'there is none: `claimseal run` needs it, `claimseal seal` does not');
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
  warnAboutClear(config.clear, warn);
  warnAboutGrants(grants, warn);
  if (config.unlisted === 'clear') {
    warn(['unlisted'], 'a member that a producer adds is in clear for everybody until somebody grants it');
  }
  if (record.key === 'pass') {
    warn(['record', 'key'], 'the source key is in clear for everybody, and audiences can join on it');
  }
  if (record.secret !== undefined && record.key !== 'hmac' && record.source !== 'hmac') {
    warn(['record', 'secret'], 'nothing uses it: neither record.key nor record.source is hmac');
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

/** `clear` is a promise about members that are known: where it is open-ended, a producer adds to it. */
function warnAboutClear(clear: readonly Pointer[], warn: (path: Path, message: string) => void): void {
  for (const [c, pointer] of clear.entries()) {
    if (pointer.length === 0 || pointer.at(-1) === WILDCARD) {
      const where = pointer.length === 0 ? 'anywhere' : 'here';
      warn(['clear', c], `whatever a producer adds ${where} is in clear for everybody`);
    }
    const by = clear.findIndex(
      (other, o) => o !== c && covers(other, pointer) && !(o > c && same(other, pointer)),
    );
    if (by !== -1) warn(['clear', c], `adds nothing to ${formatPath(['clear', by])}`);
  }
}

const same = (a: Pointer, b: Pointer) => covers(a, b) && covers(b, a);

function warnAboutGrants(grants: readonly GrantConfig[], warn: (path: Path, message: string) => void): void {
  if (grants.length === 0) warn(['grants'], 'there are none: nothing is sealed for anybody');
  // From the last to the first, so that of two that say the same the later one is the idle one.
  const needed = new Set(grants.keys());
  const idle = new Map<number, readonly number[]>();
  for (const g of [...grants.keys()].reverse()) {
    const by = givenBy(g, grants, needed);
    if (by === undefined) continue;
    needed.delete(g);
    idle.set(g, by);
  }
  for (const [g, by] of [...idle].reverse()) {
    warn(['grants', g], `adds nothing to ${by.map((other) => formatPath(['grants', other])).join(' and ')}`);
  }
}

/** Which others give everything that a grant gives, whenever it does; undefined where it gives something more. */
function givenBy(
  g: number,
  grants: readonly GrantConfig[],
  among: ReadonlySet<number>,
): number[] | undefined {
  const grant = grants[g]!;
  const others = [...among].filter((o) => o !== g && holdsWith(grants[o]!, grant));
  const found = grant.to.flatMap((name) =>
    grant.claims.map((claim) =>
      others.find((o) => grants[o]!.to.includes(name) && grants[o]!.claims.some((c) => covers(c, claim))),
    ),
  );
  const by = found.filter((other) => other !== undefined);
  return by.length < found.length ? undefined : [...new Set(by)].sort((a, b) => a - b);
}

/** Whether `outer` matches wherever `inner` does: it asks nothing that `inner` does not ask too. */
function holdsWith({ when: outer = [] }: GrantConfig, { when: inner = [] }: GrantConfig): boolean {
  const asked = new Set(inner.map((test) => JSON.stringify(test)));
  return outer.every((test) => asked.has(JSON.stringify(test)));
}
