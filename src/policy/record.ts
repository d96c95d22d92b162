/** What goes along with an output: its record key and headers. */
import { ClaimsealError } from '../errors.ts';
import { coordinates, type SourceRecord } from '../event.ts';
import type { Plan } from '../pipeline.ts';
import type { Config } from './document.ts';

/** base64url of HMAC-SHA-256 over the parts, joined by 0x00. */
export type Mac = (...parts: Buffer[]) => string;

const KEY = Buffer.from('key');
const SOURCE = Buffer.from('source');

/** @param mac keyed with `record.secret`; undefined where the policy needs none */
export function compileRecord(
  { key: keyMode, headers: passed, source: sourceMode }: Config['record'],
  digest: string,
  mac: Mac | undefined,
): Pick<Plan, 'recordKey' | 'recordHeaders'> {
  const listed = new Set(passed);
  const policy = Buffer.from(digest);
  const constant = memoise((text: string) => Buffer.from(text));

  const recordKey: Plan['recordKey'] = (aud, key) => {
    if (key === null || keyMode === 'drop') return null;
    return keyMode === 'pass' ? key : Buffer.from(need(mac)(KEY, constant(aud), key));
  };
  const sourceOf = (aud: string, record: SourceRecord): Buffer => {
    const plain = Buffer.from(coordinates(record));
    return sourceMode === 'plain' ? plain : Buffer.from(need(mac)(SOURCE, constant(aud), plain));
  };
  const recordHeaders: Plan['recordHeaders'] = (aud, record, contentType) => {
    const headers: [string, Buffer][] = [];
    for (const [name, value] of record.headers) {
      if (value !== null && listed.has(name)) headers.push([name, value]);
    }
    headers.push(['content-type', constant(contentType)]);
    if (sourceMode !== 'off') headers.push(['claimseal-source', sourceOf(aud, record)]);
    headers.push(['claimseal-policy', policy]);
    return headers;
  };
  return { recordKey, recordHeaders };
}

function need(mac: Mac | undefined): Mac {
  if (mac === undefined)
    throw new ClaimsealError('internal', 'record.secret is checked when the policy is parsed');
  return mac;
}

/** For the few constant texts of a policy. */
function memoise(make: (text: string) => Buffer): (text: string) => Buffer {
  const made = new Map<string, Buffer>();
  return (text) => {
    const known = made.get(text);
    if (known !== undefined) return known;
    const value = make(text);
    made.set(text, value);
    return value;
  };
}
