/**
 * Bytes of an event to a tree and back: JSON, strict to RFC 8259 and to I-JSON (RFC 7493) where readers would
 * differ (member names twice, half surrogate pairs). The tree points into the event's bytes, so that what is
 * not taken apart is copied and numbers keep their spelling; only white space between tokens is not kept.
 *
 * Refused, each with its own code: too large, not UTF-8, not JSON, too deep, a member name twice, a lone
 * surrogate, a root that is not an object. Messages carry byte offsets, never content. No I/O.
 */
import { ClaimsealError } from '../errors.ts';
import type { Event } from '../event.ts';
import type { Codec } from '../pipeline.ts';
import { JsonEvent } from './json-event.ts';
import { createScanner, type Limits } from './scan.ts';
import { createWriter } from './write.ts';

export { agrees, find, sameValue, without } from './tree.ts';

/** Trees are walked by recursion; this deep no stack overflows. */
const DEEPEST = 1000;

/**
 * A codec of JSON events.
 * @param limits size of an event in bytes, and nesting (the root is 1, at most 1000)
 * @throws ClaimsealError `config.invalid` for limits out of range; its `decode` throws the `event.*` codes of
 *   what is no I-JSON object, its `write` throws `event.sealedMember` when the member's place is taken
 */
export function createJsonCodec(limits: Limits): Codec {
  const { maxBytes, maxDepth } = limits;
  between('maxBytes', maxBytes, 2 ** 30);
  between('maxDepth', maxDepth, DEEPEST);
  const scan = createScanner(limits);
  const write = createWriter();
  return {
    contentType: 'application/json',
    decode(value) {
      const { root, bytes } = scan(value);
      if (root.kind !== 'object') {
        throw new ClaimsealError('event.notObject', `expected an object at the root, found ${root.kind}`);
      }
      return new JsonEvent(root, bytes);
    },
    write: (event, root, member) => write(bytesOf(event), root, member),
  };
}

function bytesOf(event: Event): Buffer {
  if (event instanceof JsonEvent) return event.bytes;
  throw new ClaimsealError('internal', 'an event of another codec');
}

function between(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new ClaimsealError('config.invalid', `${name}: expected an integer from 1 to ${most}, got ${value}`);
}
