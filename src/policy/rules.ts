/** What a well-formed document may still get wrong: parts of it that contradict each other. */
import type { Mistake } from '../errors.ts';
import type { AudienceConfig, Config, GrantConfig, KeyFileConfig } from './document.ts';
import { didYouMean, formatPath, type Hidden, type Path } from './mistakes.ts';
import { covers, formatPointer, overlap, type Pointer, WILDCARD } from './pointer.ts';

/** As much of a document as could be parsed; undefined where a part is missing or broken. */
export interface Draft {
  readonly source: Config['source'] | undefined;
  readonly kafka: Config['kafka'];
  readonly clear: readonly (Pointer | undefined)[];
  readonly sealed: Pointer | undefined;
  readonly audiences: Map<string, AudienceConfig | undefined>;
  readonly grants: readonly (GrantConfig | undefined)[];
  readonly unmatched: Config['unmatched'] | undefined;
  readonly record: Config['record'] | undefined;
  readonly quarantine: Config['quarantine'];
  readonly hasQuarantine: boolean;
}

type Report = (path: Path, expected: string, got: string, hint?: string) => void;

/** Checks every rule on the parts that are there. */
export function checkRules(draft: Draft, hidden: Hidden, push: (mistake: Mistake) => void): void {
  const report: Report = (path, expected, got, hint) =>
    push({
      path: formatPath(path),
      expected,
      got: hidden(path) ? HIDDEN : got,
      ...(hint === undefined ? {} : { hint }),
    });
  checkTopics(draft, report);
  checkAudiences(draft, report);
  checkGrants(draft, report);
  checkDesignation(draft, hidden, report);
  checkIdentity(draft, report);
  checkSealedPlace(draft, hidden, report);
  checkRecord(draft, report);
  checkBrokers(draft, report);
  if (draft.unmatched === 'quarantine' && !draft.hasQuarantine) {
    report(['quarantine'], 'a section quarantine, since unmatched is quarantine', 'nothing');
  }
}

const HIDDEN = 'a value from the environment that is not shown';

const quote = (pointer: Pointer) => JSON.stringify(formatPointer(pointer));

// ---- topics and audiences ----------------------------------------------------------------------

function checkTopics({ source, audiences, quarantine }: Draft, report: Report): void {
  const taken = new Map<string, Path>();
  const take = (topic: string | undefined, path: Path) => {
    if (topic === undefined) return;
    const other = taken.get(topic);
    if (other === undefined) taken.set(topic, path);
    else report(path, 'a topic of its own', `${JSON.stringify(topic)}, which is ${formatPath(other)} too`);
  };
  source?.topics.forEach((topic, i) => {
    take(topic, ['source', 'topics', i]);
  });
  for (const [name, audience] of audiences) take(audience?.topic, ['audiences', name, 'topic']);
  take(quarantine?.topic, ['quarantine', 'topic']);
}

/** The settings of sealing as they are where nobody sets them. */
const UNSEALED = { alg: undefined, symmetric: false, enc: 'A256GCM', pad: 64, reuse: true };

function checkAudiences({ audiences, quarantine }: Draft, report: Report): void {
  for (const [name, audience] of audiences) {
    if (audience === undefined) continue;
    const { keys, alg, symmetric, enc, pad, reuse } = audience;
    if (keys === 'none') {
      const idle = { alg, symmetric, enc, pad, reuse };
      for (const [member, value] of Object.entries(idle)) {
        if (value !== UNSEALED[member as keyof typeof idle])
          report(['audiences', name, member], 'nothing, since keys is none', String(value));
      }
    } else if (alg === 'A256KW' && !symmetric) {
      report(
        ['audiences', name, 'symmetric'],
        'true, since alg is A256KW',
        'false',
        'a shared key lets whoever seals open too: that must be stated',
      );
    } else if (symmetric && alg !== undefined && alg !== 'A256KW') {
      report(['audiences', name, 'alg'], 'A256KW, since symmetric is true', alg);
    }
    if (keys !== 'none') checkKeyFile(keys, ['audiences', name, 'keys'], report);
  }
  if (quarantine !== undefined) checkKeyFile(quarantine.keys, ['quarantine', 'keys'], report);
  if (quarantine?.alg === 'A256KW') {
    report(
      ['quarantine', 'alg'],
      'ECDH-ES+A256KW or RSA-OAEP-256',
      'A256KW',
      'the quarantine takes public keys only',
    );
  }
}

function checkKeyFile({ refresh, maxStale }: KeyFileConfig, path: Path, report: Report): void {
  if (refresh < maxStale) return;
  const hint = 'a set that is looked at less often than it goes stale halts by itself';
  report([...path, 'maxStale'], `more than refresh, ${refresh} ms`, `${maxStale} ms`, hint);
}

// ---- grants ------------------------------------------------------------------------------------

function checkGrants({ grants, audiences }: Draft, report: Report): void {
  for (const [g, grant] of grants.entries()) {
    grant?.to.forEach((name, i) => {
      const path = ['grants', g, 'to', i];
      if (!audiences.has(name)) {
        const known = [...audiences.keys()];
        report(path, `one of ${known.join(', ')}`, JSON.stringify(name), didYouMean(name, known));
      } else if (audiences.get(name)?.keys === 'none') {
        const hint = 'it reads the clear members of every event: give it keys, or take it out';
        report(path, 'an audience with keys', `${JSON.stringify(name)}, whose keys are none`, hint);
      }
    });
  }
}

/** Everything that is used in the open. */
function* usedInTheOpen({
  clear,
  source,
  sealed,
  grants,
}: Draft): Generator<{ path: Path; pointer: Pointer; use: string }> {
  for (const [i, pointer] of clear.entries()) {
    if (pointer !== undefined) yield { path: ['clear', i], pointer, use: 'a clear member' };
  }
  if (source !== undefined && source.id !== 'coordinates') {
    for (const [i, subject] of source.id.entries()) {
      if (subject.kind === 'pointer')
        yield { path: ['source', 'id', i], pointer: subject.pointer, use: 'an id' };
    }
  }
  for (const [g, grant] of grants.entries()) {
    for (const { subject } of grant?.when ?? []) {
      if (subject.kind !== 'pointer') continue;
      yield { path: ['grants', g, 'when', subject.text], pointer: subject.pointer, use: 'a condition' };
    }
  }
  if (sealed !== undefined) yield { path: ['sealed'], pointer: sealed, use: 'the place of the JWE' };
}

/** A pointer and where it stands; only that, where it came from the environment. */
function nameOf(pointer: Pointer, path: Path, hidden: Hidden): string {
  return hidden(path) ? formatPath(path) : `${quote(pointer)} of ${formatPath(path)}`;
}

/** Designation is global: what any grant names is in clear for nobody. */
function checkDesignation(draft: Draft, hidden: Hidden, report: Report): void {
  for (const { path, pointer, use } of usedInTheOpen(draft)) {
    for (const [g, grant] of draft.grants.entries()) {
      const c = grant?.claims.findIndex((claim) => overlap(claim, pointer)) ?? -1;
      if (c === -1) continue;
      report(
        path,
        `${use} that no grant designates`,
        `${quote(pointer)}, which overlaps ${nameOf(grant!.claims[c]!, ['grants', g, 'claims', c], hidden)}`,
        'a claim that any grant names is in clear for nobody: take it out of one of the two',
      );
      break;
    }
  }
  for (const [g, grant] of draft.grants.entries()) {
    for (const { subject } of grant?.when ?? []) {
      if (subject.kind === 'pointer' && subject.pointer.includes(WILDCARD)) {
        report(['grants', g, 'when', subject.text], 'a pointer without *', quote(subject.pointer));
      }
    }
  }
}

// ---- identity and envelope ---------------------------------------------------------------------

function checkIdentity({ source, clear, record }: Draft, report: Report): void {
  if (source === undefined) return;
  const reader = 'a reader must be able to compute evt from what it gets';
  const plain = record === undefined || record.source === 'plain';
  if (source.id === 'coordinates') {
    if (!plain) report(['record', 'source'], 'plain, since source.id is coordinates', record.source, reader);
    return;
  }
  // A broken entry of `clear` may be the one that covers.
  const complete = clear.every((pointer) => pointer !== undefined);
  for (const [i, subject] of source.id.entries()) {
    const path = ['source', 'id', i];
    if (subject.kind === 'pointer') {
      const { pointer } = subject;
      if (pointer.includes(WILDCARD)) report(path, 'a pointer without *', quote(pointer));
      else if (complete && !clear.some((c) => c !== undefined && covers(c, pointer))) {
        report(path, 'a member that clear covers', quote(pointer), `${reader}: add it to clear`);
      }
    } else if (subject.kind === 'topic' && !plain) {
      report(path, 'topic only where record.source is plain', `record.source ${record.source}`, reader);
    } else if (subject.kind === 'key' && record !== undefined && record.key !== 'pass') {
      report(path, 'key only where record.key is pass', `record.key ${record.key}`, reader);
    } else if (subject.kind === 'header' && record !== undefined && !record.headers.includes(subject.name)) {
      report(path, 'a header of record.headers', JSON.stringify(subject.name), reader);
    }
  }
}

function checkSealedPlace({ sealed, clear, source, grants }: Draft, hidden: Hidden, report: Report): void {
  if (sealed === undefined) return;
  if (sealed.length === 0) report(['sealed'], 'the place of a member', 'the whole document');
  if (sealed.includes(WILDCARD)) report(['sealed'], 'a pointer without *', quote(sealed));
  for (const { path, pointer } of usedInTheOpen({ ...EMPTY, clear, source, grants })) {
    if (sealed.length > 0 && covers(sealed, pointer)) {
      report(
        path,
        `a place outside ${nameOf(sealed, ['sealed'], hidden)}, where the JWE stands`,
        quote(pointer),
      );
    }
  }
}

const EMPTY: Draft = {
  source: undefined,
  kafka: undefined,
  clear: [],
  sealed: undefined,
  audiences: new Map(),
  grants: [],
  unmatched: undefined,
  record: undefined,
  quarantine: undefined,
  hasQuarantine: false,
};

// ---- record and brokers ------------------------------------------------------------------------

const MIN_SECRET_BYTES = 16;

/** Header names that claimseal writes itself; everything else that starts like them may follow. */
function isReserved(header: string): boolean {
  const name = header.toLowerCase();
  return name === 'content-type' || name.startsWith('claimseal-');
}

function checkRecord({ record }: Draft, report: Report): void {
  if (record === undefined) return;
  const { key, source, secret, headers } = record;
  const user = key === 'hmac' ? 'record.key' : source === 'hmac' ? 'record.source' : undefined;
  if (user !== undefined && secret === undefined) {
    report(['record', 'secret'], `a secret, since ${user} is hmac`, 'nothing', 'openssl rand -base64 32');
  }
  if (secret !== undefined && Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
    const got = `${Buffer.byteLength(secret)} bytes`;
    report(['record', 'secret'], `at least ${MIN_SECRET_BYTES} bytes`, got, 'openssl rand -base64 32');
  }
  for (const [i, header] of headers.entries()) {
    const path = ['record', 'headers', i];
    if (isReserved(header)) {
      const hint = 'content-type and claimseal-* are written by claimseal';
      report(path, 'a header that claimseal does not write', JSON.stringify(header), hint);
    } else if (headers.indexOf(header) !== i) {
      report(path, 'each header once', JSON.stringify(header));
    }
  }
}

/** Loopback addresses and the name that always means one (RFC 6761 section 6.3). */
export function isLoopback(broker: string): boolean {
  const host = broker.slice(0, broker.lastIndexOf(':'));
  if (host === 'localhost' || host === '[::1]') return true;
  const parts = host.split('.');
  return (
    parts.length === 4 &&
    parts[0] === '127' &&
    parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)
  );
}

function checkBrokers({ kafka }: Draft, report: Report): void {
  if (kafka === undefined) return;
  const { brokers, ssl, allowPlaintext } = kafka;
  for (const [i, broker] of brokers.entries()) {
    const path = ['kafka', 'brokers', i];
    const port = Number(broker.slice(broker.lastIndexOf(':') + 1));
    if (port < 1 || port > 65_535) report(path, 'a port from 1 to 65535', JSON.stringify(broker));
    if (ssl === false && !allowPlaintext && !isLoopback(broker)) {
      const hint = 'set kafka.ssl, or kafka.allowPlaintext: true where the network is trusted';
      report(path, 'an encrypted connection beyond loopback', `${JSON.stringify(broker)} without ssl`, hint);
    }
  }
  if (typeof ssl === 'object' && (ssl.cert === undefined) !== (ssl.key === undefined)) {
    const missing = ssl.cert === undefined ? 'cert' : 'key';
    report(['kafka', 'ssl', missing], 'cert and key together', 'nothing');
  }
}
