import { COMPOSED, type Event, type Node, type ObjectNode } from '../event.ts';

/** Up to so many members a name is looked for one by one. */
const FEW = 16;

type Text = Pick<Event, 'text'>;

/** The node at `path`, by member names only: a segment never indexes an array. */
export function find(root: Node, path: readonly string[]): Node | undefined {
  let node: Node | undefined = root;
  for (const segment of path) {
    if (node?.kind !== 'object') return undefined;
    node = node.values[node.names.indexOf(segment)];
  }
  return node;
}

/**
 * The tree without the member at `path`, and without the objects that this leaves empty. The same tree where
 * there is no such member; `root` itself stays, if empty.
 */
export function without(root: ObjectNode, path: readonly string[]): ObjectNode {
  const [segment, ...rest] = path;
  const at = segment === undefined ? -1 : root.names.indexOf(segment);
  if (at < 0) return root;
  const value = root.values[at]!;
  if (rest.length === 0) return replaced(root, at, undefined);
  if (value.kind !== 'object') return root;
  const less = without(value, rest);
  if (less === value) return root;
  return replaced(root, at, less.values.length === 0 ? undefined : less);
}

function replaced(node: ObjectNode, at: number, value: Node | undefined): ObjectNode {
  const put = value === undefined ? [] : [value];
  const keep = put.length;
  return {
    kind: 'object',
    start: COMPOSED,
    end: COMPOSED,
    names: node.names.toSpliced(at + keep, 1 - keep),
    nameStarts: node.nameStarts.toSpliced(at + keep, 1 - keep),
    values: node.values.toSpliced(at, 1, ...put),
  };
}

/**
 * Whether `x` of event `a` is the same JSON value as `y` of event `b`: strings by what they stand for, numbers
 * by their spelling (1.0 is not 1), members in any order.
 */
export function sameValue(a: Text, x: Node, b: Text, y: Node): boolean {
  if (x.kind === 'array') {
    return (
      y.kind === 'array' &&
      x.items.length === y.items.length &&
      x.items.every((item, k) => sameValue(a, item, b, y.items[k]!))
    );
  }
  if (x.kind === 'object') {
    if (y.kind !== 'object' || x.values.length !== y.values.length) return false;
    return everyMember(x, y, (mine, other) => other !== undefined && sameValue(a, mine, b, other));
  }
  return x.kind === y.kind && a.text(x) === b.text(y as typeof x);
}

/**
 * Whether nothing in `part`, a clear part, contradicts `whole`, the view it was sealed with: each member is there
 * with the same value or with a part of it. Objects may have fewer members; arrays have all their items, where
 * null stands for one that is not shown.
 */
export function agrees(a: Text, part: Node, b: Text, whole: Node): boolean {
  if (part.kind === 'array') {
    return (
      whole.kind === 'array' &&
      part.items.length === whole.items.length &&
      part.items.every((item, k) => item.kind === 'null' || agrees(a, item, b, whole.items[k]!))
    );
  }
  if (part.kind === 'object') {
    if (whole.kind !== 'object') return false;
    return everyMember(part, whole, (mine, other) => other !== undefined && agrees(a, mine, b, other));
  }
  return sameValue(a, part, b, whole);
}

function everyMember(
  x: ObjectNode,
  y: ObjectNode,
  holds: (mine: Node, other: Node | undefined) => boolean,
): boolean {
  let lookUp = (name: string): Node | undefined => y.values[y.names.indexOf(name)];
  if (y.names.length > FEW) {
    const members = new Map(y.names.map((name, k) => [name, y.values[k]!]));
    lookUp = (name) => members.get(name);
  }
  // One encoder writes both, so the member is mostly at the same index.
  return x.values.every((value, k) =>
    holds(value, y.names[k] === x.names[k] ? y.values[k] : lookUp(x.names[k]!)),
  );
}
