/**
 * The policy: who may read which claim. This room holds the configuration document (of which the policy is
 * the heart), its rules, and the compiled plan that decides one event at a time. It does no I/O, holds no key
 * and no clock, and refuses every document that contradicts itself. JSON Pointers are RFC 6901; the digest is
 * taken over RFC 8785.
 */
export { policyDigest } from './digest.ts';
export type { Config, KeyFileConfig, QuarantineConfig } from './document.ts';
export { QUARANTINE, SECRETS } from './document.ts';
export {
  type ExplainedAudience,
  type ExplainedClaim,
  type ExplainedReader,
  type Explanation,
  explainPolicy,
  formatConditions,
} from './explain.ts';
export { eventId } from './identity.ts';
export { formatPath } from './mistakes.ts';
export { canonicalNumber } from './number.ts';
export { parseConfig } from './parse.ts';
export { compilePolicy } from './plan.ts';
export { type Pointer, WILDCARD } from './pointer.ts';
export { configJsonSchema, configReference } from './reference.ts';
export { parseSubject, type Subject } from './values.ts';
export { policyWarnings, type Warning } from './warnings.ts';
