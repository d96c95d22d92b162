/** The protected header, as the sealer writes it and the opener reads it (RFC 7516 section 4). */

/** Header member `typ` by what is inside. A reader accepts exactly the one it expects. */
export const TYPS = Object.freeze({
  view: 'claimseal-view+jwe',
  quarantine: 'claimseal-quarantine+jwe',
});

export type Typ = keyof typeof TYPS;

/** What the opener reads at most, so the sealer writes no more: bytes of header JSON. */
export const MAX_HEADER_BYTES = 16 * 1024;

/**
 * The constant part of a header up to the value of `evt`, which goes last, followed by white space up to a multiple of
 * 3 bytes: then its base64url is constant too, and that of `evt` and the closing brace is put after it.
 */
export function headerPrefix(members: Readonly<Record<string, unknown>>): Buffer {
  const text = `${JSON.stringify(members).slice(0, -1)},"evt":`;
  const length = Buffer.byteLength(text);
  return Buffer.from(text + ' '.repeat((3 - (length % 3)) % 3));
}
