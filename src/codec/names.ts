/**
 * Member names. The same few names come in every event, so they are decoded once and then recognised by their
 * bytes: no native call, no new string.
 */

/** Names in the table at a time; a power of two. */
const SLOTS = 1024;
/** Longer names are decoded each time. */
const MAX_LENGTH = 64;

/** A 32-bit step of FNV-1a. Not keyed: a collision costs time only, and only what one decoding costs. */
export function mix(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

export type Names = (bytes: Buffer, start: number, end: number, hash: number) => string;

/**
 * A table of names, direct-mapped and of constant size: a name takes the place of the one that was there.
 * Returns the name at `[start, end)` of UTF-8 without escapes, given `mix` over its bytes from 0.
 */
export function createNames(): Names {
  const spellings = new Uint8Array(SLOTS * MAX_LENGTH);
  const lengths = new Int32Array(SLOTS).fill(-1);
  const texts = new Array<string>(SLOTS).fill('');

  return (bytes, start, end, hash) => {
    const length = end - start;
    if (length > MAX_LENGTH) return bytes.toString('utf8', start, end);
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const at = slot * MAX_LENGTH;
    if (lengths[slot] === length) {
      let k = 0;
      while (k < length && spellings[at + k] === bytes[start + k]) k++;
      if (k === length) return texts[slot]!;
    }
    const text = bytes.toString('utf8', start, end);
    for (let k = 0; k < length; k++) spellings[at + k] = bytes[start + k]!;
    lengths[slot] = length;
    texts[slot] = text;
    return text;
  };
}
