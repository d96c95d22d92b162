/** Skips the files that need a broker where `setup.ts` found none: its reasons are printed there, once. */
import { inject, TestRunner, test } from 'vitest';

const NEEDS_BROKER = /\/test\/(integration|fault)\//;

export default class SkippingRunner extends TestRunner {
  override importFile(path: string, source: Parameters<TestRunner['importFile']>[1]): unknown {
    if (source === 'collect' && inject('broker') === undefined && NEEDS_BROKER.test(path)) {
      test.skip('needs a Kafka broker', () => {});
      return undefined;
    }
    return super.importFile(path, source);
  }
}
