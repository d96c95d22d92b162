/** What becomes of a record that cannot be sealed for its audiences. */
import { asClaimsealError, ClaimsealError } from './errors.ts';
import { coordinates, coordinatesEvt, type Output, type SourceRecord } from './event.ts';

/** As much of the pipeline's stages as is needed here. */
interface Quarantining {
  readonly quarantine: { readonly aud: string; readonly topic: string } | undefined;
  readonly sealer: { seal(aud: string, evt: string, plaintext: Buffer): string };
  readonly plan: { readonly digest: string };
  readonly setAside: ReadonlySet<string>;
  /** SHA-256, base64url. */
  readonly digest: (bytes: Buffer) => string;
}

/**
 * Seals a bad record, whole, to the quarantine key: key, value and headers in base64, bound to its coordinates.
 * One that the topic cannot take halts, unless the operator sets it aside: then its digest stands for its bytes.
 */
export function quarantineRecord(
  record: SourceRecord,
  { code, message }: ClaimsealError,
  stages: Quarantining,
  admit: (output: Output) => void,
): Output {
  const { quarantine, sealer, plan, setAside, digest } = stages;
  const place = { topic: record.topic, partition: record.partition, offset: record.offset };
  if (quarantine === undefined) {
    throw new ClaimsealError(
      'quarantine.missing',
      `record ${coordinates(record)} is bad (${code}: ${message}) and there is no quarantine`,
      {
        place,
        remedy: 'add `quarantine: { keys, topic }` to the configuration and start again',
      },
    );
  }
  const base64 = (bytes: Buffer | null) => (bytes === null ? null : bytes.toString('base64'));
  const { topic, partition, offset, timestamp } = record;
  const evt = coordinatesEvt(record);
  const sealed = (content: object): Output => {
    const plaintext = JSON.stringify({
      topic,
      partition,
      offset,
      timestamp,
      ...content,
      code,
      reason: message,
    });
    const output = {
      topic: quarantine.topic,
      partition,
      key: null,
      value: Buffer.from(sealer.seal(quarantine.aud, evt, Buffer.from(plaintext)), 'latin1'),
      headers: [
        ['content-type', Buffer.from('application/jose')],
        ['claimseal-code', Buffer.from(code)],
        ['claimseal-policy', Buffer.from(plan.digest)],
      ],
      // The record's own may be what is bad about it, or so old that retention would take it at once.
      timestamp: Date.now().toString(),
    } as const;
    admit(output);
    return output;
  };
  const whole = {
    key: base64(record.key),
    value: base64(record.value),
    headers: record.headers.map(([name, value]) => [name, base64(value)]),
  };
  const refused = (thrown: unknown): ClaimsealError => {
    const cause = asClaimsealError(thrown);
    if (cause.disposition !== 'deadLetter') return cause;
    return new ClaimsealError(
      'quarantine.refused',
      `record ${coordinates(record)} is bad (${code}: ${message}), and for the quarantine: ${cause.message}`,
      {
        place,
        remedy: `${cause.remedy ?? 'mend the quarantine'}; or start with --quarantine-offset ${coordinates(record)}, which keeps its coordinates and digest`,
        cause,
      },
    );
  };
  try {
    return sealed(whole);
  } catch (thrown) {
    if (!setAside.has(coordinates(record))) throw refused(thrown);
  }
  try {
    return sealed({ digest: record.value === null ? null : digest(record.value) });
  } catch (thrown) {
    throw refused(thrown);
  }
}
