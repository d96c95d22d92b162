/** The policy's digest, which says of an output by which policy it was sealed. */
import { SECRETS } from './document.ts';
import { isRecord, type Path } from './mistakes.ts';

/** Sections that say where and how claimseal runs, not who may read what. */
const LEFT_OUT: readonly Path[] = [['kafka'], ['http'], ['log'], ...SECRETS];

/**
 * SHA-256 over the RFC 8785 form of a parsed document, without deployment sections and secrets.
 * @param document the parsed YAML, `${ENV}` unexpanded
 * @param sha256 bytes to base64url
 */
export function policyDigest(document: unknown, sha256: (bytes: Buffer) => string): string {
  return sha256(Buffer.from(canonical(document, [])));
}

/** RFC 8785: members in order of their UTF-16 code units, strings and numbers as ECMAScript writes them. */
function canonical(value: unknown, path: Path): string {
  if (Array.isArray(value)) return `[${value.map((item, i) => canonical(item, [...path, i])).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value ?? null);
  const members = Object.keys(value)
    .filter((name) => !isLeftOut([...path, name]))
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name], [...path, name])}`);
  return `{${members.join(',')}}`;
}

const isLeftOut = (path: Path) =>
  LEFT_OUT.some((place) => place.length === path.length && place.every((segment, i) => segment === path[i]));
