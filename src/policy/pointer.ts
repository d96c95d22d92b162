/**
 * JSON Pointers (RFC 6901) as lists of segments. `*` stands for every member or item; any other segment names
 * an object member and never indexes an array.
 */

export type Pointer = readonly string[];

export const WILDCARD = '*';

/** Why `text` is no pointer, or undefined when it is one. */
export function pointerFault(text: string): string | undefined {
  if (text !== '' && !text.startsWith('/')) return 'a JSON Pointer that starts with /';
  for (let at = text.indexOf('~'); at !== -1; at = text.indexOf('~', at + 1)) {
    if (text[at + 1] !== '0' && text[at + 1] !== '1')
      return 'a JSON Pointer whose ~ is written ~0 and / inside a name ~1';
  }
  return undefined;
}

/** RFC 6901 section 3 to segments. `text` must have passed `pointerFault`. */
export function parsePointer(text: string): Pointer {
  if (text === '') return [];
  return text
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Segments to RFC 6901 text. */
export function formatPointer(pointer: Pointer): string {
  return pointer.map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Whether some value may lie under both: one is a prefix of the other, `*` matching anything on either side. */
export function overlap(a: Pointer, b: Pointer): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    if (a[i] !== b[i] && a[i] !== WILDCARD && b[i] !== WILDCARD) return false;
  }
  return true;
}

/** Whether everything under `inner` lies under `outer` too. */
export function covers(outer: Pointer, inner: Pointer): boolean {
  return (
    outer.length <= inner.length && outer.every((segment, i) => segment === WILDCARD || segment === inner[i])
  );
}
