/** The broker that `setup.ts` started for all integration tests. */
import { inject } from 'vitest';
import type { Secured } from './broker.ts';

/** The user that may log in at the secured listener. */
export const USER = { username: 'claimseal', password: 'orange-kettle-88' } as const;

export interface SharedBroker {
  readonly brokers: readonly string[];
  /** Missing where `KAFKA_BROKERS` is used. */
  readonly secured: Secured | undefined;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** Undefined where there is none: the tests of the project are skipped. */
    broker: SharedBroker | undefined;
  }
}

export function sharedBroker(): SharedBroker {
  const broker = inject('broker');
  if (broker === undefined) throw new Error('no Kafka broker: see the reasons above');
  return broker;
}
