/** What a policy amounts to: who reads which claim, when and why. For people, and for programs that compare. */
import type { AudienceConfig, Config, GrantConfig } from './document.ts';
import { formatPath } from './mistakes.ts';
import { covers, formatPointer, type Pointer } from './pointer.ts';
import type { Scalar, Test } from './values.ts';

/** A `when` as the document has it: subject to a value, a list of values, or `{ has: true }`. */
export type Conditions = Readonly<Record<string, Scalar | readonly Scalar[] | { readonly has: true }>>;

export interface ExplainedAudience {
  readonly name: string;
  readonly topic: string;
  /** `none`: it reads the clear members only. */
  readonly keys: 'sealed' | 'none';
  readonly layout: 'envelope' | null;
  /** What the policy states; null where the key decides, or nothing is sealed. */
  readonly alg: string | null;
  readonly enc: string | null;
  /** Whoever seals can open. */
  readonly symmetric: boolean;
}

export interface ExplainedReader {
  readonly audience: string;
  /** `sealed` where at least one grant gives it, in events that meet the conditions of one of `grants`. */
  readonly access: 'sealed' | 'clear' | 'none';
  readonly grants: readonly {
    /** Which of the policy's grants. */
    readonly index: number;
    /** The claim of that grant that covers the row's. */
    readonly claim: string;
    /** All must hold; null for every event. */
    readonly when: Conditions | null;
  }[];
}

export interface ExplainedClaim {
  readonly pointer: string;
  /** Named by a grant, hence in clear for nobody. */
  readonly designated: boolean;
  /** Where the document names it: `clear[0]`, `grants[1].claims[0]`. */
  readonly named: readonly string[];
  /** Every audience of the policy, in its order. */
  readonly readers: readonly ExplainedReader[];
}

/** The disclosure matrix. */
export interface Explanation {
  readonly audiences: readonly ExplainedAudience[];
  readonly claims: readonly ExplainedClaim[];
  /** What becomes of a member that no row covers. */
  readonly unlisted: Config['unlisted'];
  /** What becomes of an event that no grant matches. */
  readonly unmatched: Config['unmatched'];
}

/**
 * The disclosure matrix of a policy: one row for each pointer that it names, clear members first. A value may be
 * read by an audience exactly when some row covers it and lets the audience read it.
 */
export function explainPolicy(config: Config): Explanation {
  const audiences = Object.entries(config.audiences);
  const rows = new Map<string, { pointer: Pointer; designated: boolean; named: string[] }>();
  const name = (pointer: Pointer, designated: boolean, place: string) => {
    const text = formatPointer(pointer);
    const row = rows.get(text) ?? { pointer, designated, named: [] };
    rows.set(text, row);
    row.named.push(place);
  };
  for (const [i, pointer] of config.clear.entries()) name(pointer, false, formatPath(['clear', i]));
  for (const [g, { claims }] of config.grants.entries()) {
    for (const [c, pointer] of claims.entries()) name(pointer, true, formatPath(['grants', g, 'claims', c]));
  }
  return {
    audiences: audiences.map(([name, audience]) => explainAudience(name, audience)),
    claims: [...rows].map(([text, { pointer, designated, named }]) => ({
      pointer: text,
      designated,
      named,
      readers: audiences.map(([audience]): ExplainedReader => {
        if (!designated) return { audience, access: 'clear', grants: [] };
        const grants = config.grants.flatMap((grant, index) => {
          const claim = grant.to.includes(audience)
            ? grant.claims.find((c) => covers(c, pointer))
            : undefined;
          return claim === undefined ? [] : [{ index, claim: formatPointer(claim), when: whenOf(grant) }];
        });
        return { audience, access: grants.length > 0 ? 'sealed' : 'none', grants };
      }),
    })),
    unlisted: config.unlisted,
    unmatched: config.unmatched,
  };
}

function explainAudience(
  name: string,
  { topic, keys, alg, enc, symmetric }: AudienceConfig,
): ExplainedAudience {
  return keys === 'none'
    ? { name, topic, keys: 'none', layout: null, alg: null, enc: null, symmetric: false }
    : { name, topic, keys: 'sealed', layout: 'envelope', alg: alg ?? null, enc, symmetric };
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
