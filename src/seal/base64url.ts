/** Strict base64url (RFC 7515 section 2): no padding, no white space, one spelling for each byte string. */

/** The bytes, or undefined where `text` is anything but the canonical spelling of some bytes. */
export function decodeBase64url(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64url');
  // Node's decoder skips what it does not know and ignores stray bits: encoding again finds both.
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** A JSON object, or undefined. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** Parses UTF-8 JSON; undefined where it is neither. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
