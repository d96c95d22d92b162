/** What a policy amounts to: who reads which claim, when and why. For people, and for programs that compare. */
import type { AudienceConfig, Config, GrantConfig } from './document.ts';
import { covers, formatPointer, type Pointer } from './pointer.ts';
import type { Scalar, Test } from './values.ts';

/** A `when` as the document has it: subject to a value, a list of values, or `{ has: true }`. */
export type Conditions = Readonly<Record<string, Scalar | readonly Scalar[] | { readonly has: true }>>;

export interface ExplainedAudience {
  readonly name: string;
  readonly topic: string;
  /** `none`: it reads the clear members only. */
  readonly keys: 'sealed' | 'none';
  /** What the policy states; null where the key decides, or nothing is sealed. */
  readonly alg: string | null;
  readonly enc: string | null;
  /** Whoever seals can open. */
  readonly symmetric: boolean;
}

export interface ExplainedReader {
  readonly audience: string;
  readonly how: 'sealed' | 'clear';
  /** Why: any one of these grants does, in events that meet its conditions. Empty for what is in clear. */
  readonly grants: readonly {
    /** Which of the policy's grants, counted from 0. */
    readonly index: number;
    /** All must hold; null for every event. */
    readonly when: Conditions | null;
  }[];
}

export interface ExplainedClaim {
  readonly pointer: string;
  /** Named by a grant, hence in clear for nobody. */
  readonly designated: boolean;
  /** Those who may read it, in the policy's order. */
  readonly readers: readonly ExplainedReader[];
}

/** The disclosure matrix. */
export interface Explanation {
  /** What becomes of a member that no row covers. */
  readonly unlisted: Config['unlisted'];
  /** What becomes of an event that no grant matches. */
  readonly unmatched: Config['unmatched'];
  readonly audiences: readonly ExplainedAudience[];
  readonly claims: readonly ExplainedClaim[];
}

/**
 * The disclosure matrix of a policy: one row for each pointer that it names, clear members first. A value may be
 * read by an audience exactly when some row covers it and names the audience as a reader.
 */
export function explainPolicy({ audiences, clear, grants, unlisted, unmatched }: Config): Explanation {
  const everybody = Object.keys(audiences).map(
    (audience): ExplainedReader => ({ audience, how: 'clear', grants: [] }),
  );
  const designated = once(grants.flatMap(({ claims }) => claims));
  return {
    unlisted,
    unmatched,
    audiences: Object.entries(audiences).map(([name, audience]) => explainAudience(name, audience)),
    claims: [
      ...once(clear).map((pointer) => ({
        pointer: formatPointer(pointer),
        designated: false,
        readers: everybody,
      })),
      ...designated.map((pointer) => ({
        pointer: formatPointer(pointer),
        designated: true,
        readers: Object.keys(audiences).flatMap((audience) => readerOf(audience, pointer, grants)),
      })),
    ],
  };
}

/** Each pointer the first time it is named, however it is written. */
function once(pointers: readonly Pointer[]): Pointer[] {
  return [...new Map(pointers.map((pointer) => [formatPointer(pointer), pointer])).values()];
}

function readerOf(audience: string, pointer: Pointer, grants: readonly GrantConfig[]): ExplainedReader[] {
  const why = grants.flatMap((grant, index) =>
    grant.to.includes(audience) && grant.claims.some((claim) => covers(claim, pointer))
      ? [{ index, when: whenOf(grant) }]
      : [],
  );
  return why.length === 0 ? [] : [{ audience, how: 'sealed', grants: why }];
}

function explainAudience(
  name: string,
  { topic, keys, alg, enc, symmetric }: AudienceConfig,
): ExplainedAudience {
  return keys === 'none'
    ? { name, topic, keys: 'none', alg: null, enc: null, symmetric: false }
    : { name, topic, keys: 'sealed', alg: alg ?? null, enc, symmetric };
}

function whenOf({ when }: GrantConfig): Conditions | null {
  if (when === undefined) return null;
  return Object.fromEntries(when.map((test) => [test.subject.text, expectedOf(test)]));
}

function expectedOf(test: Test): Conditions[string] {
  if ('has' in test) return { has: true };
  return test.anyOf.length === 1 ? test.anyOf[0]! : test.anyOf;
}

/** The conditions for a reader: `/type = "user.*" and key present`. */
export function formatConditions(when: Conditions): string {
  return Object.entries(when)
    .map(([subject, value]) => {
      if (Array.isArray(value)) return `${subject} = ${value.map((v) => JSON.stringify(v)).join(' or ')}`;
      return typeof value === 'object' && value !== null
        ? `${subject} is present`
        : `${subject} = ${JSON.stringify(value)}`;
    })
    .join(' and ');
}
