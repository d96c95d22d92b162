/** What a JWE is bound to: the header member `evt`, computed alike by the one who seals and the one who opens. */
import { ClaimsealError } from '../errors.ts';
import { coordinatesEvt, type Event, type SourceRecord } from '../event.ts';
import type { Config } from './document.ts';
import { find, lastHeader } from './find.ts';
import type { Subject } from './values.ts';

/**
 * The function that makes `evt` of an event: JSON text of an array, strings as JSON strings and integers in
 * their exact spelling; `["topic",partition,offset]` for `coordinates`.
 *
 * It takes the *source's* record. One who opens has its coordinates from header `claimseal-source`, and may
 * leave the record out where `id` names members of the event only.
 * @throws ClaimsealError (the returned function) `event.id` where a value is missing, or neither string nor
 *   integer
 */
export function eventId(id: Config['source']['id']): (event: Event, record?: SourceRecord) => string {
  if (id === 'coordinates') {
    return (_event, record) => {
      if (record === undefined) throw unusable('coordinates', 'no record');
      return coordinatesEvt(record);
    };
  }
  const parts = id.map(compilePart);
  return (event, record) => {
    let evt = '[';
    for (const [i, part] of parts.entries()) evt += (i === 0 ? '' : ',') + part(event, record);
    return `${evt}]`;
  };
}

function compilePart(subject: Subject): (event: Event, record: SourceRecord | undefined) => string {
  const { text } = subject;
  if (subject.kind === 'pointer') {
    const { pointer } = subject;
    return (event) => {
      const node = find(event.root, pointer);
      if (node?.kind === 'string') return JSON.stringify(event.text(node));
      if (node?.kind !== 'number') throw unusable(text, node?.kind ?? 'nothing');
      const spelled = event.text(node);
      if (!isInteger(spelled)) throw unusable(text, 'a number that is no integer');
      return spelled;
    };
  }
  return (_event, record) => {
    if (record === undefined) throw unusable(text, 'no record');
    if (subject.kind === 'topic') return JSON.stringify(record.topic);
    const bytes = subject.kind === 'key' ? record.key : lastHeader(record, subject.name);
    if (bytes === null || bytes === undefined) throw unusable(text, 'nothing');
    return JSON.stringify(utf8(bytes, text));
  };
}

/** JSON's grammar has no leading zeros or plus sign, so an integer is digits after an optional minus. */
function isInteger(spelled: string): boolean {
  if (spelled === '-0') return false;
  for (let i = spelled.startsWith('-') ? 1 : 0; i < spelled.length; i += 1) {
    const c = spelled.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return false;
  }
  return true;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Buffer, text: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw unusable(text, 'bytes that are not UTF-8');
  }
}

function unusable(text: string, got: string): ClaimsealError {
  return new ClaimsealError('event.id', `expected a string or an integer at the id ${text}, got ${got}`, {
    place: { pointer: text },
    remedy: 'name members in source.id that every event has, or use coordinates',
  });
}
