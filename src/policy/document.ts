/**
 * The YAML document, declared once: its types, its strict parser, the JSON Schema for editors and the README's
 * reference all come from here.
 */
import { z } from 'zod';
import type { Pointer } from './pointer.ts';
import { duration, filePath, pointer, secret, subject, text, topic, when } from './values.ts';

/** Where secrets stand. They are read from files, kept out of messages and out of the digest. */
export const SECRETS: readonly Pointer[] = [
  ['record', 'secret'],
  ['kafka', 'sasl', 'password'],
  ['kafka', 'ssl', 'passphrase'],
];

// ---- sections ----------------------------------------------------------------------------------

const source = z
  .strictObject({
    topics: z.array(topic()).min(1).describe('Topics that events are read from.'),
    format: z.literal('json').describe('How a record value is read.'),
    id: z
      .union([z.array(subject()).min(1), z.literal('coordinates')], {
        error: 'a list of clear members such as [/source, /id], or coordinates',
      })
      .describe(
        'What a JWE is bound to (header member `evt`): clear members whose values are strings or integers, also `key`, `topic` and `header:NAME`; or `coordinates`: topic, partition and offset.',
      ),
    maxBytes: z
      .int()
      .min(1)
      .max(2 ** 30)
      .default(1_048_576)
      .describe('Largest record value, in bytes; a larger one is quarantined.'),
    maxDepth: z.int().min(1).max(1000).default(64).describe('Deepest nesting of a record value.'),
  })
  .describe('Where events come from, and how they are read.');

const ssl = z
  .union(
    [
      z.boolean(),
      z.strictObject({
        ca: filePath().optional().describe('File of PEM certificates to trust instead of the system store.'),
        cert: filePath().optional().describe('File of the client certificate (PEM).'),
        key: filePath().optional().describe('File of the client key (PEM).'),
        passphrase: secret().optional().describe('Passphrase of the client key.'),
      }),
    ],
    { error: 'true, false or { ca, cert, key, passphrase }' },
  )
  .describe(
    'TLS to the brokers: true for the system trust store, or files of certificates. Verification cannot be switched off.',
  );

const sasl = z
  .discriminatedUnion('mechanism', [
    z.strictObject({
      mechanism: z
        .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
        .describe('SASL mechanism with user name and password.'),
      username: text().describe('User name.'),
      password: secret().describe('Password: from the environment, or `{ file: path }`.'),
    }),
    z.strictObject({
      mechanism: z.literal('oauthbearer').describe('SASL mechanism with a bearer token.'),
      tokenFile: filePath().describe('File that holds the token; read again for each connection.'),
    }),
  ])
  .describe('How claimseal authenticates to the brokers.');

const kafka = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s:/@[\]]+):\d{1,5}$/, { error: 'host:port' }))
      .min(1)
      .describe('Bootstrap brokers, as `host:port`.'),
    groupId: text().describe('Consumer group; with `--audience` the names are appended.'),
    clientId: text().default('claimseal').describe('Client id shown to the brokers.'),
    delivery: z
      .enum(['exactly-once', 'at-least-once'])
      .default('exactly-once')
      .describe(
        '`exactly-once`: outputs and offsets in one transaction. `at-least-once`: offsets after the acknowledgement.',
      ),
    start: z
      .enum(['earliest', 'latest'])
      .default('earliest')
      .describe(
        'Where a group without committed offsets begins. Topics and partitions that are added later are read from their beginning.',
      ),
    ssl: ssl.prefault(false),
    sasl: sasl.optional(),
    allowPlaintext: z.boolean().default(false).describe('Accept an unencrypted broker beyond loopback.'),
    createTopics: z
      .boolean()
      .default(false)
      .describe('Create target topics that do not exist, through the admin API.'),
    sessionTimeout: duration({ min: '1s' }).prefault('10s').describe('Group session timeout.'),
    rebalanceTimeout: duration({ min: '1s' }).prefault('30s').describe('Time a member has to rejoin.'),
    transactionTimeout: duration({ min: '1s', below: '60s' })
      .prefault('30s')
      .describe('Transaction timeout, below 60s.'),
  })
  .describe('The cluster. Not needed by `claimseal seal`.');

/** Sealing algorithms (RFC 7518 section 4) that a policy can name. */
export const ALGS = ['ECDH-ES+A256KW', 'RSA-OAEP-256', 'A256KW'] as const;
/** Content encryption (RFC 7518 section 5). */
export const ENCS = ['A256GCM', 'A128GCM'] as const;

const keyFile = () =>
  z.strictObject({
    file: filePath().describe('JWK Set file (RFC 7517); read again when it changes.'),
    activateAfter: duration()
      .prefault('10m')
      .describe('How long a newly seen key waits before it is sealed to, unless it is the only one.'),
    maxStale: duration()
      .prefault('1h')
      .describe('How long the last good set is used while the file cannot be read or parsed.'),
    refresh: duration({ min: '100ms' }).prefault('5s').describe('How often the file is looked at.'),
  });

const sealing = {
  alg: z
    .enum(ALGS)
    .optional()
    .describe(
      'Key management algorithm. Default by key: ECDH-ES+A256KW for EC and OKP, RSA-OAEP-256 for RSA, A256KW for oct.',
    ),
  enc: z.enum(ENCS).default('A256GCM').describe('Content encryption algorithm.'),
};

const audience = z.strictObject({
  keys: z
    .union([z.literal('none'), keyFile()], { error: 'none or { file: path }' })
    .describe(
      'Where the public keys of this audience are; `none` for one that reads the clear members only.',
    ),
  topic: topic().describe('Topic of this audience, its own.'),
  ...sealing,
  pad: z
    .int()
    .min(1)
    .max(65_536)
    .default(64)
    .describe('The plaintext is padded with white space to a multiple of this many bytes; 1 for no padding.'),
  reuse: z
    .enum(['on', 'off'])
    .default('on')
    .transform((value) => value === 'on')
    .describe(
      '`off` wraps a new content key for every event: slower, and one disclosed content key discloses one event.',
    ),
  symmetric: z
    .boolean()
    .default(false)
    .describe('The key is shared (`oct`, A256KW): whoever seals can open. Must be stated.'),
});

/** Reserved: the quarantine's `aud`. */
export const QUARANTINE = 'quarantine';
/** What an audience may be called. */
export const AUDIENCE_NAME = /^[a-z0-9-]{1,64}$/;

const grant = z.strictObject({
  claims: z
    .array(pointer())
    .min(1)
    .describe('Claims, as JSON Pointers; `*` is every member or item; a pointer covers its subtree.'),
  to: z.array(z.string()).min(1).describe('Audiences that may read them.'),
  when: when()
    .optional()
    .describe(
      'Tests that must all hold: subject (`/pointer`, `header:NAME`, `key`, `topic`) to a value, a list of values (any of), or `{ has: true }`. A trailing `*` in a string is a prefix.',
    ),
});

const record = z
  .strictObject({
    key: z
      .enum(['pass', 'drop', 'hmac'])
      .describe(
        'The output key: the source key as it is, none, or an HMAC that no two audiences share. Must be stated.',
      ),
    secret: secret()
      .optional()
      .describe('Secret of `hmac`, at least 16 bytes: from the environment, or `{ file: path }`.'),
    headers: z.array(text()).default([]).describe('Source headers that are passed on. No other is.'),
    source: z
      .enum(['plain', 'hmac', 'off'])
      .default('plain')
      .describe(
        'Header `claimseal-source`, for de-duplication: topic/partition/offset, an HMAC of it, or none.',
      ),
  })
  .describe('What goes along with an output.');

const quarantine = z
  .strictObject({
    keys: keyFile().describe('Where the public key of the quarantine is.'),
    topic: topic().describe('Topic of records that could not be sealed.'),
    ...sealing,
    maxShare: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        'Halt when more than this share of the last thousand events was quarantined; counted anew at each start.',
      ),
  })
  .describe('Where bad records go, sealed. Without it the first bad record halts.');

/** The sections, each a schema of its own, so that each can be parsed where another is broken. */
export const SECTIONS = {
  version: z.literal(1).describe('Version of this format.'),
  issuer: text().max(1024).describe('Who seals; stands as `iss` in every JWE header.'),
  source,
  kafka: kafka.optional(),
  clear: z.array(pointer()).prefault([]).describe('Members that everybody may read.'),
  sealed: pointer().prefault('/sealed').describe('Place of the JWE in an output.'),
  audiences: z
    .record(z.string().regex(AUDIENCE_NAME, { error: '1 to 64 of a-z 0-9 -' }), audience)
    .describe('The readers, by name (`[a-z0-9-]{1,64}`; `quarantine` is reserved).'),
  grants: z
    .array(grant)
    .describe('Who may read which claims. A claim that any grant names is in clear for nobody.'),
  unlisted: z
    .enum(['drop', 'reject', 'clear'])
    .describe(
      'Members that nobody named: dropped, their event quarantined, or left in clear. Must be stated.',
    ),
  unmatched: z
    .enum(['drop', 'quarantine'])
    .describe('Events granted to nobody: dropped, or quarantined. Must be stated.'),
  record,
  quarantine: quarantine.optional(),
  http: z
    .strictObject({
      host: text().default('127.0.0.1').describe('Address to listen on.'),
      port: z.int().min(0).max(65_535).describe('Port; 0 for any free one.'),
    })
    .optional()
    .describe('Where /metrics, /livez and /readyz are served; nowhere without it.'),
  log: z
    .strictObject({
      level: z
        .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'])
        .default('info')
        .describe('Least severe level that is written.'),
    })
    .prefault({})
    .describe('The log, on standard error.'),
} as const;

export const document = z.strictObject(SECTIONS);
/** One entry of `audiences`, `grants` and `clear`. */
export const ENTRIES = { audience, grant, clear: pointer() } as const;

/** The document's JSON Schema (draft 2020-12), as it is written, defaults as written too. */
export function documentSchema(): Record<string, unknown> {
  return z.toJSONSchema(document, { io: 'input' });
}

// ---- types -------------------------------------------------------------------------------------

/** The document after parsing: plain data, pointers as segments, durations in milliseconds, defaults filled in. */
export type Config = z.output<typeof document>;
export type AudienceConfig = z.output<typeof audience>;
export type GrantConfig = z.output<typeof grant>;
export type KeyFileConfig = Exclude<AudienceConfig['keys'], 'none'>;
export type QuarantineConfig = z.output<typeof quarantine>;
