/**
 * kafkajs 2.2.4, mended before it loads.
 *
 * Some of its behaviours lose or invent data, or stop for ever, and have no option:
 *
 * - its filter of aborted transactions shows aborted records when transactions overlap, when a key is four zero
 *   bytes, and when reading starts in the middle of one;
 * - an offset that retention has removed makes it commit "earliest" and go on without a word;
 * - its decoder of record batches does what record-batch.ts says;
 * - what a fetch covered is not told where all of it was filtered out (control and aborted records);
 * - it joins the group anew without a chance to finish what is in hand, which another member then does again.
 *
 * A private copy of its modules is loaded with these replaced, so that a host program's own kafkajs stays as it
 * is. The replacements fit one version only, which package.json pins and this file checks.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { compileFunction } from 'node:vm';
import { ClaimsealError } from '../errors.ts';
import { createFetchDecode, type Decoder, refuseOldFetch } from './fetch.ts';
import type { FetchedMessage } from './record-batch.ts';

const VERSION = '2.2.4';

type Filtered = Pick<FetchedMessage, 'offset' | 'key' | 'isControlRecord' | 'batchContext'>;

interface AbortedTransaction {
  readonly firstOffset: string;
  readonly producerId: string;
}

interface ConsumerGroup {
  readonly assigners: readonly object[];
  recoverFromOffsetOutOfRange(error: Error): Promise<void>;
  joinAndSync(): Promise<void>;
}

interface Batch {
  readonly rawMessages: readonly unknown[];
  isEmpty(): boolean;
  isEmptyDueToFiltering(): boolean;
}

/** A partition assigner that is waited for before the group is joined anew. */
export interface PatientAssigner {
  beforeJoin(): Promise<void>;
}

export type Kafkajs = typeof import('kafkajs');

let loaded: Kafkajs | undefined;

/** The mended kafkajs. */
export function kafkajs(): Kafkajs {
  loaded ??= load();
  return loaded;
}

function load(): Kafkajs {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve('kafkajs/package.json');
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== VERSION) {
    throw new ClaimsealError(
      'internal',
      `expected kafkajs ${VERSION}, found ${version}: its repairs would not fit`,
      {
        remedy: `install kafkajs@${VERSION}`,
      },
    );
  }
  const folder = dirname(manifest) + sep;
  const file = (name: string) => join(folder, 'src', name);
  const { load, replace } = privateModules(folder);
  replace(file('consumer/filterAbortedMessages.js'), withoutAborted);
  const Decoder = load(file('protocol/decoder.js')) as new (raw: Buffer) => Decoder;
  const { parse } = load(file('protocol/requests/fetch/v1/response.js')) as { parse: unknown };
  const decode = createFetchDecode((raw) => new Decoder(raw));
  replace(file('protocol/requests/fetch/v11/response.js'), { decode, parse });
  replace(file('protocol/requests/fetch/v4/decodeMessages.js'), refuseOldFetch);
  const batch = load(file('consumer/batch.js')) as { prototype: Batch };
  batch.prototype.isEmpty = function isEmpty() {
    return this.rawMessages.length === 0;
  };
  batch.prototype.isEmptyDueToFiltering = () => false;
  const group = load(file('consumer/consumerGroup.js')) as { prototype: ConsumerGroup };
  const { joinAndSync } = group.prototype;
  const { KafkaJSNonRetriableError } = load(file('errors.js')) as {
    KafkaJSNonRetriableError: new (message: string, more: { cause: unknown }) => Error;
  };
  group.prototype.recoverFromOffsetOutOfRange = (error) => Promise.reject(error);
  group.prototype.joinAndSync = function patiently() {
    const fatal = (cause: unknown) =>
      new KafkaJSNonRetriableError('the group could not be joined', { cause });
    return joinPatiently(this.assigners, () => joinAndSync.call(this), fatal);
  };
  return load(require.resolve('kafkajs')) as Kafkajs;
}

/**
 * Joins a group once its assigners are ready. A failure is made fatal for the consumer: kafkajs would go on fetching
 * without a join, and those who were ready for one would wait for it for ever.
 */
export async function joinPatiently(
  assigners: readonly object[],
  join: () => Promise<void>,
  fatal: (cause: unknown) => Error,
): Promise<void> {
  for (const assigner of assigners) if (isPatient(assigner)) await assigner.beforeJoin();
  try {
    await join();
  } catch (error) {
    throw fatal(error);
  }
}

function isPatient(assigner: object): assigner is PatientAssigner {
  return 'beforeJoin' in assigner;
}

/**
 * CommonJS modules of one folder, loaded into a registry of their own. The process's own registry would not do:
 * kafkajs loads half of itself at the first request of each kind, and would then find the unmended modules.
 */
function privateModules(folder: string) {
  const modules = new Map<string, { exports: unknown }>();
  const load = (file: string): unknown => {
    const known = modules.get(file);
    if (known !== undefined) return known.exports;
    const outer = createRequire(file);
    const require = (id: string): unknown => {
      const path = outer.resolve(id);
      return path.startsWith(folder) && path.endsWith('.js') ? load(path) : outer(id);
    };
    const module = { exports: {} };
    modules.set(file, module);
    const parameters = ['exports', 'require', 'module', '__filename', '__dirname'];
    const body = compileFunction(readFileSync(file, 'utf8'), parameters, { filename: file });
    body(module.exports, require, module, file, dirname(file));
    return module.exports;
  };
  const replace = (file: string, exports: unknown) => modules.set(file, { exports });
  return { load, replace };
}

/**
 * The records of a fetch without those of aborted transactions, as the protocol defines them: a producer's
 * records count as aborted from `firstOffset` until its control record. Control records are kept, since the
 * caller takes the fetch's last offset from them.
 */
export function withoutAborted({
  messages,
  abortedTransactions,
}: {
  messages: readonly Filtered[];
  abortedTransactions?: readonly AbortedTransaction[] | null;
}): readonly Filtered[] {
  if (!abortedTransactions?.length) return messages;
  const pending = [...abortedTransactions].sort((a, b) =>
    BigInt(a.firstOffset) < BigInt(b.firstOffset) ? -1 : 1,
  );
  const aborting = new Set<string>();
  return messages.filter((message) => {
    while (pending.length > 0 && BigInt(pending[0]!.firstOffset) <= BigInt(message.offset)) {
      aborting.add(pending.shift()!.producerId);
    }
    const { producerId, inTransaction } = message.batchContext;
    if (message.isControlRecord) {
      if (isAbortMarker(message.key)) aborting.delete(producerId);
      return true;
    }
    return !(inTransaction && aborting.has(producerId));
  });
}

/** Control record key => version:int16 type:int16, where type 0 is ABORT. */
function isAbortMarker(key: Buffer | null): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}
