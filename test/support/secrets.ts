/** Secrets that are planted in events, and every form in which they must not turn up elsewhere. */

/** The bytes that give `secret` away. Base64 is looked for at all three alignments, whatever stands around it. */
function forms(secret: string): readonly (readonly [form: string, bytes: Buffer])[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Only characters that no neighbour has a part in.
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
  const escaped = Array.from({ length: secret.length }, (_, i) =>
    secret.charCodeAt(i).toString(16).padStart(4, '0'),
  );
  const texts: readonly (readonly [string, string])[] = [
    ['as such', secret],
    ...base64.map((text, i) => [`base64, alignment ${i}`, text] as const),
    ...base64.map(
      (text, i) => [`base64url, alignment ${i}`, text.replaceAll('+', '-').replaceAll('/', '_')] as const,
    ),
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    ['JSON-escaped', escaped.map((code) => `\\u${code}`).join('')],
    ['JSON-ESCAPED', escaped.map((code) => `\\u${code.toUpperCase()}`).join('')],
    ['percent-encoded', encodeURIComponent(secret)],
  ];
  return [
    ...texts.map(([form, text]) => [form, Buffer.from(text)] as const),
    ['UTF-16', Buffer.from(secret, 'utf16le')],
  ];
}

/** Where any form of any secret stands in `places`: `topic payroll: email, base64url, alignment 2`. */
export function leaks(
  secrets: Readonly<Record<string, string>>,
  places: Readonly<Record<string, Buffer | string>>,
): string[] {
  const found: string[] = [];
  for (const [place, content] of Object.entries(places)) {
    const haystack = Buffer.from(content);
    for (const [name, secret] of Object.entries(secrets)) {
      if (secret.length < 8) throw new Error(`${name} is too short to be looked for`);
      for (const [form, bytes] of forms(secret)) {
        if (haystack.includes(bytes)) found.push(`${place}: ${name}, ${form}`);
      }
    }
  }
  return found;
}
