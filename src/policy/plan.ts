/**
 * The compiled policy. Everything that depends on the policy alone is settled here once; an event costs its
 * conditions, one walk for the clear part, and one walk for each distinct view.
 */
import { ClaimsealError } from '../errors.ts';
import type { Audience, Event, ObjectNode, SourceRecord, View } from '../event.ts';
import type { Plan } from '../pipeline.ts';
import { type Condition, compileCondition } from './condition.ts';
import type { Config } from './document.ts';
import { eventId } from './identity.ts';
import { compileLens, type Lens } from './lens.ts';
import { formatPointer, type Pointer } from './pointer.ts';
import { compileRecord, type Mac } from './record.ts';

/** What the policy needs of other rooms. */
export interface PolicyTools {
  /** The policy's digest, for header `claimseal-policy`. */
  readonly digest: string;
  /** A secret to its HMAC-SHA-256, base64url, over parts joined by 0x00. */
  readonly hmac: (secret: Buffer) => Mac;
}

/** Sets of matching grants whose views are kept compiled. */
const KNOWN_SETS = 1024;

/** One that may be granted something. Which audience that is for an event may depend on the event. */
interface Reader {
  readonly audienceOf: (event: Event, record: SourceRecord) => Audience | undefined;
  /** Indexes of the grants that name it. */
  readonly grants: readonly number[];
}

/** What follows from one set of matching grants. */
interface Outcome {
  readonly lenses: readonly Lens[];
  /** `lens` is an index: readers who are granted the same share one walk. */
  readonly readers: readonly { readonly audienceOf: Reader['audienceOf']; readonly lens: number }[];
}

/**
 * Compiles a policy.
 *
 * @returns the plan. Its `decide` is synchronous and pure. It throws ClaimsealError, all `deadLetter`:
 *   `event.sealedMember` where the JWE's place is taken, `event.id`, `event.shape` where a designated pointer
 *   does not fit, `event.unlisted` under `unlisted: reject`
 */
export function compilePolicy(config: Config, { digest, hmac }: PolicyTools): Plan {
  const { grants, sealed: sealedPath, unmatched } = config;
  const audiences = Object.entries(config.audiences).map(
    ([name, { topic, keys }]): Audience => ({ name, aud: name, topic, sealed: keys !== 'none' }),
  );
  const routed = audiences.filter(({ sealed }) => !sealed);
  const readers = audiences
    .filter(({ sealed }) => sealed)
    .map(
      (audience): Reader => ({
        audienceOf: () => audience,
        grants: grants.flatMap(({ to }, g) => (to.includes(audience.name) ? [g] : [])),
      }),
    );

  const evtOf = eventId(config.source.id);
  const lensOf = createLenses(config);
  const showClear = lensOf([], true);
  const matching = compileMatching(config);
  const outcomeOf = createOutcomes(readers, lensOf);
  const secret = config.record.secret;
  const mac = secret === undefined ? undefined : hmac(Buffer.from(secret));

  return {
    digest,
    audiences,
    sealedPath,
    unmatched,
    decide(event, record) {
      requireFree(event.root, sealedPath);
      const evt = evtOf(event, record);
      const clear = showClear(event.root);
      const matched = matching(event, record);
      const { lenses, readers: named } = outcomeOf(matched);
      const roots = lenses.map((show) => show(event.root));
      const views: View[] = [];
      for (const { audienceOf, lens } of named) {
        const audience = audienceOf(event, record);
        if (audience !== undefined) views.push({ audience, root: roots[lens]! });
      }
      return { evt, clear, views, routed, matched: matched.any };
    },
    ...compileRecord(config.record, digest, mac),
  };
}

/** Nothing may stand where the JWE will, nor be in its way. */
function requireFree(root: ObjectNode, path: Pointer): void {
  let node = root;
  for (const [i, segment] of path.entries()) {
    const at = node.names.indexOf(segment);
    if (at === -1) return;
    const value = node.values[at]!;
    if (i === path.length - 1 || value.kind !== 'object') {
      throw new ClaimsealError('event.sealedMember', 'the event has a value where the JWE is to stand', {
        place: { pointer: formatPointer(path) },
        remedy: 'give sealed a place in the policy that no event uses',
      });
    }
    node = value;
  }
}

/** Which grants match an event; `key` names the set. */
interface Matched {
  readonly any: boolean;
  readonly key: number | string;
  readonly holds: (grant: number) => boolean;
}

/** Grants with equal conditions ask once. */
function compileMatching({ grants }: Config): (event: Event, record: SourceRecord) => Matched {
  const conditions: Condition[] = [];
  const known = new Map<string, number>();
  const conditionOf = grants.map(({ when }) => {
    if (when === undefined) return -1;
    const text = JSON.stringify(when);
    const made = known.get(text);
    if (made !== undefined) return made;
    known.set(text, conditions.length);
    return conditions.push(compileCondition(when)) - 1;
  });
  const always = conditionOf.includes(-1);

  if (conditions.length <= 30) {
    return (event, record) => {
      let key = 0;
      for (let i = 0; i < conditions.length; i += 1) if (conditions[i]!(event, record)) key |= 1 << i;
      return {
        any: always || key !== 0,
        key,
        holds: (g) => conditionOf[g] === -1 || (key & (1 << conditionOf[g]!)) !== 0,
      };
    };
  }
  return (event, record) => {
    const held = conditions.map((condition) => condition(event, record));
    const key = held.map(Number).join('');
    return {
      any: always || held.includes(true),
      key,
      holds: (g) => conditionOf[g] === -1 || held[conditionOf[g]!]!,
    };
  };
}

/** Lenses by the grants they show, made when first needed. */
function createLenses({ clear, grants, unlisted }: Config) {
  const designated = grants.flatMap(({ claims }) => claims);
  return (granted: readonly number[], strict = false): Lens =>
    compileLens({ clear, designated, granted: granted.flatMap((g) => grants[g]!.claims), unlisted, strict });
}

/** Outcomes by set of matching grants. The table is bounded: where events hold any mix, it starts anew. */
function createOutcomes(
  readers: readonly Reader[],
  lensOf: (granted: readonly number[]) => Lens,
): (matched: Matched) => Outcome {
  const known = new Map<number | string, Outcome>();
  return ({ key, holds }) => {
    const made = known.get(key);
    if (made !== undefined) return made;
    const lenses: Lens[] = [];
    const indexes = new Map<string, number>();
    const named = readers.flatMap(({ audienceOf, grants }) => {
      const granted = grants.filter(holds);
      if (granted.length === 0) return [];
      const text = granted.join(' ');
      const lens = indexes.get(text) ?? lenses.push(lensOf(granted)) - 1;
      indexes.set(text, lens);
      return [{ audienceOf, lens }];
    });
    const outcome = { lenses, readers: named };
    if (known.size >= KNOWN_SETS) known.clear();
    known.set(key, outcome);
    return outcome;
  };
}
