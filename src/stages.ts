/**
 * Puts the rooms together: a parsed configuration becomes what the pipeline runs on. Whatever is wrong with the
 * policy, the keys or the ciphers shows here, before the first event is read.
 */
import { createJsonCodec } from './codec/index.ts';
import { ClaimsealError } from './errors.ts';
import type { Observe, Output, SourceRecord } from './event.ts';
import { type KeySource, openKeys } from './keys/index.ts';
import { loadConfig } from './ops/index.ts';
import { type Plan, type Stages, sealRecord } from './pipeline.ts';
import {
  type Config,
  compilePolicy,
  type KeyFileConfig,
  parseConfig,
  policyDigest,
  QUARANTINE,
  type QuarantineConfig,
} from './policy/index.ts';
import { createSealer, hmac, parseJwks, type Recipient, selfTest, sha256 } from './seal/index.ts';

/** A parsed configuration and the digest of its policy. */
export interface Loaded {
  readonly config: Config;
  readonly digest: string;
}

/**
 * Reads a configuration file: YAML, `${ENV}`, secret files. Its relative paths start from its own folder.
 * @throws ClaimsealError `config.unreadable`; ConfigError with every mistake at once
 */
export function loadPolicy(file: string): Promise<Loaded> {
  return loadConfig(file, sha256);
}

/**
 * Parses a configuration that is at hand as plain data.
 *
 * @param document what a YAML or JSON parser made of it; secrets as text
 * @param name stands for the file in errors
 * @throws ConfigError with every mistake at once
 */
export function parsePolicy(document: unknown, name = 'policy'): Loaded {
  return { config: parseConfig(document, name), digest: policyDigest(document, sha256) };
}

export interface StageOptions {
  /** Seal for these audiences only; all of them unless given. Designation stays that of the whole policy. */
  readonly audiences?: readonly string[] | undefined;
  /** Coordinates of records that go to the quarantine unread. */
  readonly setAside?: ReadonlySet<string> | undefined;
  readonly observe?: Observe;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface OpenStages extends Stages {
  /** Topics that outputs go to, the quarantine's not among them. */
  readonly targets: readonly string[];
  /**
   * Seals one record with the keys as they are now, outside of a pipeline.
   * @throws ClaimsealError `event.*` or `operator.setAside` for what a pipeline would quarantine, `keys.*` when there
   *   is no key to seal to
   */
  seal(record: SourceRecord): readonly Output[];
  /** Stops reading key files and retires the content keys. */
  close(): void;
}

/**
 * Compiles the policy, reads the keys, makes the sealer and tests it.
 *
 * @throws ClaimsealError `config.*` for a policy that contradicts itself or an unknown name in `audiences`,
 *   `keys.*` for an audience without a key to seal to, `seal.selfTest`
 */
export async function openStages(
  { config, digest }: Loaded,
  options: StageOptions = {},
): Promise<OpenStages> {
  const { setAside = new Set(), now = Date.now } = options;
  const observe = harmless(options.observe);
  const plan = restrict(compilePolicy(config, { digest, hmac }), options.audiences);
  const { quarantine } = config;

  const auds = new Set(plan.audiences.map(({ aud }) => aud)).add(QUARANTINE);
  const recipients = recipientsOf(config).filter(({ aud }) => auds.has(aud));
  const keyFiles = keySourcesOf(config).filter(({ aud }) => auds.has(aud));
  const keys = await openKeys({ audiences: keyFiles, parse: parseJwks, observe, now });
  const sealer = createSealer({ issuer: config.issuer, recipients, observe });
  const close = () => {
    keys.close();
    sealer.close();
  };
  try {
    const chosen = keys.current();
    selfTest(recipients.map(({ aud, enc }) => ({ key: chosen.get(aud)!, enc })));
    sealer.use(chosen);
  } catch (error) {
    close();
    throw error;
  }
  observe({ type: 'policy', digest: plan.digest, audiences: plan.audiences.map(({ name }) => name) });
  const codec = createJsonCodec(config.source);
  return {
    codec,
    plan,
    sealer,
    keys,
    quarantine:
      quarantine === undefined
        ? undefined
        : { aud: QUARANTINE, topic: quarantine.topic, maxShare: quarantine.maxShare },
    setAside,
    digest: sha256,
    observe,
    targets: plan.audiences.map(({ topic }) => topic),
    seal(record) {
      sealer.use(keys.current());
      return sealRecord(record, { codec, plan, sealer, setAside }).outputs;
    },
    close,
  };
}

/** An observer that throws must not leave keys half taken over, nor stop events. */
function harmless(observe: Observe | undefined): Observe {
  return (notice) => {
    try {
      observe?.(notice);
    } catch {
      // its own business
    }
  };
}

/** The plan for some of its audiences. What is in clear, unmatched or quarantined stays as it is for all. */
function restrict(plan: Plan, names: readonly string[] | undefined): Plan {
  if (names === undefined) return plan;
  const known = plan.audiences.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0 || names.length === 0) {
    throw new ClaimsealError(
      'config.invalid',
      `expected audiences of the policy, found ${unknown.length > 0 ? unknown.join(', ') : 'none'}`,
      { remedy: `name some of ${known.join(', ')}` },
    );
  }
  const taken = new Set(names);
  return {
    ...plan,
    audiences: plan.audiences.filter(({ name }) => taken.has(name)),
    decide(event, record) {
      const decision = plan.decide(event, record);
      return {
        ...decision,
        views: decision.views.filter(({ audience }) => taken.has(audience.name)),
        routed: decision.routed.filter(({ name }) => taken.has(name)),
      };
    },
  };
}

/** Where the keys of each audience, and of the quarantine, are and what rules they follow. */
export function keySourcesOf({ audiences, quarantine }: Config): readonly KeySource[] {
  const source = (
    name: string,
    { file, activateAfter, maxStale, refresh }: KeyFileConfig,
    { alg, symmetric }: Pick<KeySource, 'alg' | 'symmetric'>,
  ): KeySource => ({
    ...{ aud: name, name, file, alg, symmetric },
    ...{ activateAfterMs: activateAfter, maxStaleMs: maxStale, refreshMs: refresh },
  });
  return [
    ...Object.entries(audiences).flatMap(([name, { keys, alg, symmetric }]) =>
      keys === 'none' ? [] : [source(name, keys, { alg, symmetric })],
    ),
    ...(quarantine === undefined
      ? []
      : [source(QUARANTINE, quarantine.keys, { alg: quarantine.alg, symmetric: false })]),
  ];
}

function recipientsOf({ audiences, quarantine }: Config): readonly Recipient[] {
  return [
    ...Object.entries(audiences).flatMap(([name, { keys, enc, pad, reuse }]): Recipient[] =>
      keys === 'none' ? [] : [{ aud: name, name, typ: 'view', enc, pad, reuse }],
    ),
    ...(quarantine === undefined ? [] : [quarantineRecipient(quarantine)]),
  ];
}

function quarantineRecipient({ enc }: QuarantineConfig): Recipient {
  return { aud: QUARANTINE, name: QUARANTINE, typ: 'quarantine', enc, pad: 64, reuse: true };
}
