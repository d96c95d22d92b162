import { isUtf8 } from 'node:buffer';
import { ClaimsealError, type Code } from '../errors.ts';
import type { ArrayNode, Node, ObjectNode, ScalarNode } from '../event.ts';
import { JsonEvent, unescaped } from './json-event.ts';
import { createNames, mix } from './names.ts';

/** Up to so many members a name is compared with those before it; beyond, a Set is cheaper. */
const FEW = 16;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const ZERO = 0x30;
/** Reads as this byte beyond the end: nothing in the grammar accepts it, raw or in a string. */
const END = 0x00;

/** 1 for a byte that stands for itself in a string: not a quote, a backslash or a control character. */
const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

export interface Limits {
  /** Size of one value in bytes. */
  readonly maxBytes: number;
  /** Nesting of objects and arrays; the root is 1. */
  readonly maxDepth: number;
}

/**
 * A scanner of JSON texts, strict to RFC 8259 and stricter where readers disagree: one pass over the bytes.
 * White space between tokens is left out of the result, since in an event from which claims were taken it
 * would show where they stood.
 */
export function createScanner({ maxBytes, maxDepth }: Limits): (value: Buffer) => JsonEvent<Node> {
  const intern = createNames();
  /** Hashes of the names of the objects that are open, FEW for each. */
  const hashes = new Int32Array((maxDepth + 1) * FEW);

  let bytes: Buffer = Buffer.alloc(0);
  let end = 0;
  let i = 0;
  /** White space dropped so far: a coordinate is a position less this. */
  let dropped = 0;
  /** What is copied to `kept` ends here; without white space nothing is ever copied. */
  let copied = 0;
  let kept: Buffer | undefined;

  function fail(code: Code, what: string, at: number): never {
    throw new ClaimsealError(code, `${what} at byte ${at}`);
  }

  function notJson(at: number): never {
    fail('event.notJson', at >= end ? 'not JSON: it ends' : 'not JSON: unexpected byte', at);
  }

  function peek(at: number): number {
    return at < end ? bytes[at]! : END;
  }

  function isSpace(c: number): boolean {
    return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
  }

  /** Steps over white space inside the root; returns the byte after it. */
  function skipSpace(): number {
    const from = i;
    while (isSpace(peek(i))) i++;
    if (i > from) {
      kept ??= Buffer.allocUnsafe(end);
      keep(kept, from);
      dropped += i - from;
      copied = i;
    }
    return peek(i);
  }

  function keep(into: Buffer, to: number): void {
    if (to - copied > 64) bytes.copy(into, copied - dropped, copied, to);
    else for (let k = copied; k < to; k++) into[k - dropped] = bytes[k]!;
  }

  function value(c: number, depth: number): Node {
    if (c === QUOTE) {
      const start = i - dropped;
      string();
      return { kind: 'string', start, end: i - dropped };
    }
    if (c === OPEN_OBJECT) return object(depth + 1);
    if (c === OPEN_ARRAY) return array(depth + 1);
    if (c === 0x74) return word('boolean', 'true');
    if (c === 0x66) return word('boolean', 'false');
    if (c === 0x6e) return word('null', 'null');
    return number();
  }

  function object(depth: number): ObjectNode {
    if (depth > maxDepth) fail('event.tooDeep', `nested deeper than ${maxDepth}`, i);
    const start = i - dropped;
    const names: string[] = [];
    const nameStarts: number[] = [];
    const values: Node[] = [];
    const base = depth * FEW;
    let seen: Set<string> | undefined;
    i++;
    let c = peek(i);
    if (c <= 0x20) c = skipSpace();
    if (c !== CLOSE_OBJECT) {
      for (;;) {
        if (c !== QUOTE) notJson(i);
        const nameAt = i;
        nameStarts.push(i - dropped);
        const name = memberName();
        const count = names.length;
        if (count < FEW) {
          for (let k = 0; k < count; k++) {
            if (hashes[base + k] === nameHash && names[k] === name) duplicate(nameAt);
          }
          hashes[base + count] = nameHash;
        } else {
          seen ??= new Set(names);
          if (seen.size === seen.add(name).size) duplicate(nameAt);
        }
        names.push(name);
        c = peek(i);
        if (c <= 0x20) c = skipSpace();
        if (c !== COLON) notJson(i);
        i++;
        c = peek(i);
        if (c <= 0x20) c = skipSpace();
        values.push(value(c, depth));
        c = peek(i);
        if (c <= 0x20) c = skipSpace();
        if (c === COMMA) {
          i++;
          c = peek(i);
          if (c <= 0x20) c = skipSpace();
        } else if (c === CLOSE_OBJECT) break;
        else notJson(i);
      }
    }
    i++;
    return { kind: 'object', start, end: i - dropped, names, nameStarts, values };
  }

  function duplicate(at: number): never {
    fail('event.duplicateMember', 'a member name stands twice in one object, the second time', at);
  }

  function array(depth: number): ArrayNode {
    if (depth > maxDepth) fail('event.tooDeep', `nested deeper than ${maxDepth}`, i);
    const start = i - dropped;
    const items: Node[] = [];
    i++;
    let c = peek(i);
    if (c <= 0x20) c = skipSpace();
    if (c !== CLOSE_ARRAY) {
      for (;;) {
        items.push(value(c, depth));
        c = peek(i);
        if (c <= 0x20) c = skipSpace();
        if (c === COMMA) {
          i++;
          c = peek(i);
          if (c <= 0x20) c = skipSpace();
        } else if (c === CLOSE_ARRAY) break;
        else notJson(i);
      }
    }
    i++;
    return { kind: 'array', start, end: i - dropped, items };
  }

  /** `mix` over the UTF-8 of the name that `memberName` returned last. */
  let nameHash = 0;

  function memberName(): string {
    const from = i + 1;
    let at = from;
    let hash = 0;
    while (at < end && PLAIN[bytes[at]!] === 1) hash = mix(hash, bytes[at++]!);
    if (peek(at) === QUOTE) {
      i = at + 1;
      nameHash = hash;
      return intern(bytes, from, at, hash);
    }
    string();
    const name = unescaped(bytes.toString('utf8', from, i - 1));
    nameHash = Buffer.from(name).reduce(mix, 0);
    return name;
  }

  /** From the opening quote to behind the closing one. */
  function string(): void {
    let at = i + 1;
    for (;;) {
      while (at < end && PLAIN[bytes[at]!] === 1) at++;
      const c = peek(at);
      if (c === QUOTE) break;
      if (c !== BACKSLASH) notJson(at);
      at = character(at);
    }
    i = at + 1;
  }

  /** From a backslash to behind the character it stands for; a surrogate pair is one. */
  function character(at: number): number {
    switch (peek(at + 1)) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return at + 2;
      case 0x75: {
        const unit = codeUnit(at);
        if (unit < 0xd800 || unit > 0xdfff) return at + 6;
        if (unit < 0xdc00 && peek(at + 6) === BACKSLASH && peek(at + 7) === 0x75) {
          const low = codeUnit(at + 6);
          if (low >= 0xdc00 && low <= 0xdfff) return at + 12;
        }
        return fail('event.loneSurrogate', 'half a surrogate pair', at);
      }
      default:
        return notJson(at + 1);
    }
  }

  /** The four hex digits of `\uXXXX` at `at`. */
  function codeUnit(at: number): number {
    let unit = 0;
    for (let k = at + 2; k < at + 6; k++) {
      const c = peek(k);
      const letter = c | 0x20;
      if (c >= ZERO && c <= 0x39) unit = unit * 16 + c - ZERO;
      else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
      else notJson(k);
    }
    return unit;
  }

  /** number = [ "-" ] ( "0" / 1-9 *digit ) [ "." 1*digit ] [ ( "e" / "E" ) [ "-" / "+" ] 1*digit ] */
  function number(): ScalarNode {
    const start = i - dropped;
    if (peek(i) === 0x2d) i++;
    if (peek(i) === ZERO) i++;
    else digits();
    if (peek(i) === 0x2e) {
      i++;
      digits();
    }
    if ((peek(i) | 0x20) === 0x65) {
      i++;
      const sign = peek(i);
      if (sign === 0x2b || sign === 0x2d) i++;
      digits();
    }
    return { kind: 'number', start, end: i - dropped };
  }

  function digits(): void {
    const from = i;
    for (let c = peek(i); c >= ZERO && c <= 0x39; c = peek(i)) i++;
    if (i === from) notJson(i);
  }

  function word(kind: 'boolean' | 'null', spelling: string): ScalarNode {
    const start = i - dropped;
    for (let k = 0; k < spelling.length; k++, i++) {
      if (peek(i) !== spelling.charCodeAt(k)) notJson(i);
    }
    return { kind, start, end: i - dropped };
  }

  return (text) => {
    if (text.length > maxBytes) {
      throw new ClaimsealError('event.tooLarge', `${text.length} bytes, more than the ${maxBytes} allowed`);
    }
    if (!isUtf8(text)) throw new ClaimsealError('event.notUtf8', 'not UTF-8');
    bytes = text;
    end = text.length;
    i = 0;
    dropped = 0;
    copied = 0;
    kept = undefined;
    while (isSpace(peek(i))) i++;
    const root = value(peek(i), 0);
    const last = i;
    while (isSpace(peek(i))) i++;
    if (i < end) notJson(i);
    if (kept === undefined) return new JsonEvent(root, text);
    keep(kept, last);
    return new JsonEvent(root, (kept as Buffer).subarray(0, last - dropped));
  };
}
