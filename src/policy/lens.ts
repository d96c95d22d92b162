/**
 * A lens shows what may be read of an event. It is compiled from pointers into a trie whose wildcards are
 * merged into the names beside them, so that a walk takes one step a member and looks at pointers no more.
 */
import { ClaimsealError } from '../errors.ts';
import { type ArrayNode, COMPOSED, type Node, type ObjectNode, type ScalarNode } from '../event.ts';
import { formatPointer, type Pointer, WILDCARD } from './pointer.ts';

export type Unlisted = 'drop' | 'reject' | 'clear';

/** What a lens is made of. Where they overlap, granted goes before designated, designated before clear. */
export interface LensParts {
  readonly clear: readonly Pointer[];
  /** Every claim that any grant of the policy names. */
  readonly designated: readonly Pointer[];
  /** Of those, what this reader is granted. */
  readonly granted: readonly Pointer[];
  readonly unlisted: Unlisted;
  /** Whether it also refuses what the policy cannot plan: one lens of a policy does, for all the others. */
  readonly strict: boolean;
}

/** Shows what the lens lets through of an event; an object with nothing to show is empty. */
export type Lens = (root: ObjectNode) => ObjectNode;

/** One place of the trie. */
interface Step {
  /** What becomes of a value that is not taken apart here. */
  readonly verdict: 'keep' | 'omit' | 'reject';
  /** Null or an empty container at a place that pointers pass through is never rejected. */
  readonly passed: boolean;
  /** Nothing below differs from `verdict`. */
  readonly leaf: boolean;
  readonly names: ReadonlyMap<string, Step>;
  /** Members not in `names`. */
  readonly otherMember: Step;
  readonly item: Step;
  /** A designated pointer that needs an object here, and one that needs an object or array. */
  readonly needsObject: Pointer | undefined;
  readonly needsContainer: Pointer | undefined;
}

/** @throws nothing; the returned lens throws `event.unlisted` and `event.shape` when it is strict. */
export function compileLens(parts: LensParts): Lens {
  const root = compileTrie(parts);
  return (node) => {
    const shown = show(node, root);
    return shown?.kind === 'object' ? shown : EMPTY_OBJECT;
  };
}

// ---- compiling ---------------------------------------------------------------------------------

/** What is left of a pointer at some place. */
interface Rest {
  readonly role: 'clear' | 'designated' | 'granted';
  readonly pointer: Pointer;
  readonly at: number;
}

type Cover = 'none' | 'clear' | 'designated' | 'granted';
const RANK: Readonly<Record<Cover, number>> = { none: 0, clear: 1, designated: 2, granted: 3 };

function compileTrie({ clear, designated, granted, unlisted, strict }: LensParts): Step {
  const fallback = unlisted === 'clear' ? 'keep' : unlisted === 'reject' && strict ? 'reject' : 'omit';
  const verdicts = { none: fallback, clear: 'keep', designated: 'omit', granted: 'keep' } as const;
  const leaves = new Map<Cover, Step>();
  const known = new Map<string, Step>();
  const ids = new Map<Pointer, number>();

  const leafOf = (cover: Cover): Step => {
    const made = leaves.get(cover);
    if (made !== undefined) return made;
    const leaf: { -readonly [K in keyof Step]: Step[K] } = {
      verdict: verdicts[cover],
      passed: false,
      leaf: true,
      names: new Map(),
      otherMember: undefined as never,
      item: undefined as never,
      needsObject: undefined,
      needsContainer: undefined,
    };
    leaf.otherMember = leaf;
    leaf.item = leaf;
    leaves.set(cover, leaf);
    return leaf;
  };

  const step = (rests: readonly Rest[], inherited: Cover): Step => {
    let cover = inherited;
    for (const { role, pointer, at } of rests) {
      if (at === pointer.length && RANK[role] > RANK[cover]) cover = role;
    }
    // What goes after the cover changes nothing below; a strict lens still checks the way to the designated.
    const inner = rests.filter(
      ({ role, pointer, at }) =>
        at < pointer.length && (RANK[role] > RANK[cover] || (strict && role === 'designated')),
    );
    if (inner.length === 0) return leafOf(cover);

    // Two places with the same rests are one step: wildcards beside names would else multiply.
    const id = `${cover} ${inner.map(({ role, pointer, at }) => `${role[0]}${ids.get(pointer)}.${at}`).join(' ')}`;
    const made = known.get(id);
    if (made !== undefined) return made;

    const descend = (name: string | undefined) =>
      step(
        inner
          .filter(({ pointer, at }) => pointer[at] === WILDCARD || pointer[at] === name)
          .map((rest) => ({ ...rest, at: rest.at + 1 })),
        cover,
      );
    const names = new Set(inner.map(({ pointer, at }) => pointer[at]!).filter((name) => name !== WILDCARD));
    const designating = strict ? inner.filter(({ role }) => role === 'designated') : [];
    const any = descend(undefined);
    const result: Step = {
      // Under `reject` a place on the way to something named is not unlisted where it holds nothing else.
      verdict: verdicts[cover],
      passed: cover === 'none',
      leaf: false,
      names: new Map([...names].map((name) => [name, descend(name)])),
      otherMember: any,
      item: any,
      needsObject: designating.find(({ pointer, at }) => pointer[at] !== WILDCARD)?.pointer,
      needsContainer: designating.find(({ pointer, at }) => pointer[at] === WILDCARD)?.pointer,
    };
    known.set(id, result);
    return result;
  };

  const rests: Rest[] = [];
  const add = (role: Rest['role'], pointers: readonly Pointer[]) => {
    for (const pointer of pointers) {
      // A granted pointer is the same object as the designated one, and keeps its number.
      if (!ids.has(pointer)) ids.set(pointer, ids.size);
      rests.push({ role, pointer, at: 0 });
    }
  };
  add('clear', clear);
  add('designated', designated);
  add('granted', granted);
  return step(rests, 'none');
}

// ---- walking -----------------------------------------------------------------------------------

const EMPTY_OBJECT: ObjectNode = {
  kind: 'object',
  start: COMPOSED,
  end: COMPOSED,
  names: [],
  nameStarts: [],
  values: [],
};
const NULL: ScalarNode = { kind: 'null', start: COMPOSED, end: COMPOSED };

/** What is shown of a node: itself where it is whole, a composed one, or undefined for nothing. */
function show(node: Node, step: Step): Node | undefined {
  if (step.leaf) return bare(node, step);
  if (node.kind === 'object') {
    return node.values.length === 0 ? bare(node, step) : showObject(node, step);
  }
  const misplaced = step.needsObject ?? (node.kind === 'array' ? undefined : step.needsContainer);
  if (misplaced !== undefined && node.kind !== 'null') throw misshapen(misplaced, node, step);
  if (node.kind === 'array' && node.items.length > 0) return showArray(node, step);
  return bare(node, step);
}

/** A value that is not taken apart. */
function bare(node: Node, step: Step): Node | undefined {
  if (step.verdict === 'keep') return node;
  if (step.verdict === 'reject' && !(step.passed && isNothing(node))) {
    throw new ClaimsealError('event.unlisted', 'the event has a member that the policy does not name', {
      remedy: 'name it in clear or in a grant, or set unlisted to drop',
    });
  }
  return undefined;
}

const isNothing = (node: Node) =>
  node.kind === 'null' ||
  (node.kind === 'object' && node.values.length === 0) ||
  (node.kind === 'array' && node.items.length === 0);

function showObject(node: ObjectNode, step: Step): ObjectNode | undefined {
  const { names, values } = node;
  const { names: listed, otherMember } = step;
  // Copying begins at the first member that is not shown as it is.
  let parts: { names: string[]; nameStarts: number[]; values: Node[] } | undefined;
  for (let i = 0; i < names.length; i += 1) {
    const value = values[i]!;
    const shown = show(value, listed.get(names[i]!) ?? otherMember);
    if (parts === undefined) {
      if (shown === value) continue;
      parts = {
        names: names.slice(0, i),
        nameStarts: node.nameStarts.slice(0, i),
        values: values.slice(0, i),
      };
    }
    if (shown === undefined) continue;
    parts.names.push(names[i]!);
    parts.nameStarts.push(node.nameStarts[i]!);
    parts.values.push(shown);
  }
  if (parts === undefined) return node;
  return parts.values.length === 0 ? undefined : { kind: 'object', start: COMPOSED, end: COMPOSED, ...parts };
}

/** An array of which any part is shown keeps its length, so that an item's place does not depend on the reader. */
function showArray(node: ArrayNode, step: Step): ArrayNode | undefined {
  const { items } = node;
  const next = step.item;
  let whole = true;
  let any = false;
  const parts = new Array<Node>(items.length);
  for (let i = 0; i < items.length; i += 1) {
    const item = items[i]!;
    const shown = show(item, next);
    whole &&= shown === item;
    any ||= shown !== undefined;
    parts[i] = shown ?? (item.kind === 'object' ? EMPTY_OBJECT : NULL);
  }
  if (whole) return node;
  return any ? { kind: 'array', start: COMPOSED, end: COMPOSED, items: parts } : undefined;
}

function misshapen(pointer: Pointer, node: Node, step: Step): ClaimsealError {
  const expected = step.needsObject === undefined ? 'an object or array' : 'an object';
  return new ClaimsealError(
    'event.shape',
    `expected ${expected} or null on the way to a designated claim, got ${node.kind}`,
    {
      place: { pointer: formatPointer(pointer) },
      remedy: 'compare the policy with what the source sends, or designate the member above',
    },
  );
}
