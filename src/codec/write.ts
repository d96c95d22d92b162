import { ClaimsealError } from '../errors.ts';
import { COMPOSED, type Node, type ObjectNode } from '../event.ts';

/** Pieces shorter than this are copied here; longer ones are worth a native call. */
const SHORT = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HIGH_BITS = 0x80808080 | 0;
const BYTE = -1;
const TEXT = -2;

/** A string that is to stand in the output where the tree has nothing. */
export interface Member {
  readonly path: readonly string[];
  readonly value: string;
}

export type Write = (source: Buffer, root: Node, member?: Member) => Buffer;

/**
 * A writer of trees. It notes what to copy, where pieces that lie side by side in the source become one, then
 * allocates the output once and copies.
 */
export function createWriter(): Write {
  /** A span of the source; or BYTE and the byte; or TEXT and an index into `texts`. */
  const starts: number[] = [];
  const ends: number[] = [];
  const texts: string[] = [];
  let count = 0;
  let length = 0;
  let source: Buffer = Buffer.alloc(0);

  function span(start: number, end: number): void {
    length += end - start;
    if (count > 0 && starts[count - 1]! >= 0 && ends[count - 1] === start) ends[count - 1] = end;
    else {
      starts[count] = start;
      ends[count++] = end;
    }
  }

  function byte(c: number): void {
    length++;
    if (count > 0 && starts[count - 1]! >= 0 && source[ends[count - 1]!] === c) ends[count - 1]!++;
    else {
      starts[count] = BYTE;
      ends[count++] = c;
    }
  }

  function text(json: string): void {
    length += Buffer.byteLength(json);
    starts[count] = TEXT;
    ends[count++] = texts.push(json) - 1;
  }

  function node(n: Node): void {
    if (n.start !== COMPOSED) span(n.start, n.end);
    else if (n.kind === 'object') object(n, undefined, 0);
    else if (n.kind === 'array') {
      byte(0x5b);
      for (let k = 0; k < n.items.length; k++) {
        if (k > 0) byte(0x2c);
        node(n.items[k]!);
      }
      byte(0x5d);
    } else text('null');
  }

  /** With `member`, an object on the way to it: `depth` segments of its path lead here. */
  function object(n: ObjectNode, member: Member | undefined, depth: number): void {
    const segment = member?.path[depth];
    let met = false;
    byte(0x7b);
    for (let k = 0; k < n.values.length; k++) {
      if (k > 0) byte(0x2c);
      const nameStart = n.nameStarts[k]!;
      const value = n.values[k]!;
      if (nameStart === COMPOSED) text(JSON.stringify(n.names[k]));
      else span(nameStart, nameEnd(nameStart));
      byte(0x3a);
      if (segment !== n.names[k]) node(value);
      else {
        if (value.kind !== 'object' || depth === member!.path.length - 1) throw taken();
        met = true;
        object(value, member, depth + 1);
      }
    }
    if (member !== undefined && !met) {
      if (n.values.length > 0) byte(0x2c);
      rest(member, depth);
    }
    byte(0x7d);
  }

  function rest({ path, value }: Member, depth: number): void {
    for (let k = depth; k < path.length; k++) {
      text(`${k > depth ? '{' : ''}${JSON.stringify(path[k])}:`);
    }
    if (isPlain(value)) {
      byte(QUOTE);
      text(value);
      byte(QUOTE);
    } else text(JSON.stringify(value));
    for (let k = depth + 1; k < path.length; k++) byte(0x7d);
  }

  function nameEnd(start: number): number {
    let at = start + 1;
    for (let c = source[at]; c !== QUOTE; c = source[at]) at += c === BACKSLASH ? 2 : 1;
    return at + 1;
  }

  function output(): Buffer {
    const target = Buffer.allocUnsafe(length);
    let at = 0;
    for (let k = 0; k < count; k++) {
      const start = starts[k]!;
      const end = ends[k]!;
      if (start === BYTE) target[at++] = end;
      else if (start === TEXT) at += target.write(texts[end]!, at);
      else if (end - start >= SHORT) at += source.copy(target, at, start, end);
      else for (let s = start; s < end; s++) target[at++] = source[s]!;
    }
    return target;
  }

  return (bytes, root, member) => {
    source = bytes;
    count = 0;
    length = 0;
    texts.length = 0;
    if (member === undefined) node(root);
    else if (root.kind === 'object' && member.path.length > 0) object(root, member, 0);
    else throw taken();
    return output();
  };
}

/** The last string that was looked at (a JWE is no secret), four bytes to a word. */
let scratch = Buffer.alloc(0);
let words = new Int32Array(0);

/** Whether a string is ASCII without anything to escape, as a compact JWE is: by its bytes, four at a time. */
function isPlain(value: string): boolean {
  const { length } = value;
  if (Buffer.byteLength(value) !== length) return false;
  if (scratch.length < length + 4) {
    words = new Int32Array(length + 1);
    scratch = Buffer.from(words.buffer);
  }
  scratch.write(value, 'latin1');
  scratch.write('AAA', length, 'latin1');
  let found = 0;
  for (let k = 0; k * 4 < length; k++) {
    const word = words[k]!;
    found |= ((word - 0x20202020) & ~word) | hasZero(word ^ 0x22222222) | hasZero(word ^ 0x5c5c5c5c);
  }
  return (found & HIGH_BITS) === 0;
}

/** With HIGH_BITS: not 0 when one of the four bytes is. */
function hasZero(word: number): number {
  return (word - 0x01010101) & ~word;
}

function taken(): ClaimsealError {
  return new ClaimsealError('event.sealedMember', 'the place of the sealed member is taken', {
    remedy: 'give `sealed` another name or place in the policy',
  });
}
