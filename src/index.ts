/**
 * The library: compile a policy, seal and open events without Kafka, run a pipeline between ends of one's own.
 *
 *     const stages = await openStages(parsePolicy(document));
 *     for (const output of stages.seal(record)) await produce(output);
 *
 *     const opener = createEventOpener({ audience: 'payroll', id: ['/source', '/id'], keys });
 *     const view = JSON.parse(opener.open({ value }).toString());
 *
 *     await runPipeline(source, sink, stages);
 */
export {
  ClaimsealError,
  CODES,
  type Code,
  ConfigError,
  type Disposition,
  type Mistake,
  type Place,
} from './errors.ts';
export type { Audience, Notice, Observe, Output, SourceRecord } from './event.ts';
export {
  createEventOpener,
  createQuarantineOpener,
  type EventOpener,
  type EventOpenerOptions,
  type QuarantineOpenerOptions,
  type SealedRecord,
} from './opener.ts';
export { type Batch, runPipeline, type Sink, type Source, type Stages } from './pipeline.ts';
export type { Config } from './policy/index.ts';
export { generateKeySet, type NewKeySet } from './seal/index.ts';
export {
  type Loaded,
  loadPolicy,
  type OpenStages,
  openStages,
  parsePolicy,
  type StageOptions,
} from './stages.ts';
