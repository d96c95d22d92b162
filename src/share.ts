/** A bound on how much may go to quarantine before it is the policy that is wrong. */
import { ClaimsealError } from './errors.ts';
import { coordinates, type SourceRecord } from './event.ts';

/**
 * Halts when the quarantined among the last thousand events exceed the stated share. Partitions side by side are each
 * judged on what was delivered so far, and a restart begins to count anew.
 */
export class ShareGuard {
  readonly #maxShare: number | undefined;
  /** One for each event that was delivered as quarantined. */
  #window = new Uint8Array(1000);
  #seen = 0;

  constructor(maxShare: number | undefined) {
    this.#maxShare = maxShare;
  }

  /** `errors[i]` tells why `records[i]` goes to quarantine. Counts nothing yet: a batch may come again. */
  judge(records: readonly SourceRecord[], errors: readonly unknown[]): void {
    if (this.#maxShare === undefined || errors.every((error) => error === undefined)) return;
    const window = this.#window.slice();
    const most = this.#maxShare * window.length;
    let count = window.reduce((sum, one) => sum + one, 0);
    for (const [i, error] of errors.entries()) {
      const isBad = Number(error !== undefined);
      const at = (this.#seen + i) % window.length;
      count += isBad - window[at]!;
      window[at] = isBad;
      if (this.#seen + i + 1 >= window.length && count > most) throw this.#exceeded(count, records[i]!);
    }
  }

  /** Counts events that were delivered. */
  keep(errors: readonly unknown[]): void {
    for (const error of errors) {
      this.#window[this.#seen % this.#window.length] = Number(error !== undefined);
      this.#seen += 1;
    }
  }

  #exceeded(count: number, record: SourceRecord): ClaimsealError {
    return new ClaimsealError(
      'quarantine.share',
      `${count} of the last ${this.#window.length} events were quarantined at ${coordinates(record)}, more than quarantine.maxShare ${this.#maxShare}`,
      {
        place: { topic: record.topic, partition: record.partition, offset: record.offset },
        remedy:
          'compare the policy with what the source sends (`claimseal explain`), or raise quarantine.maxShare',
      },
    );
  }
}
