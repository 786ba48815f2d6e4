import { z } from 'zod';
import { BROKER_ADDRESS, BROKER_ADDRESS_RULE } from './broker-address.ts';

const path = z.string().min(1);

/** Certificates and keys are paths of PEM files. */
const tlsOptions = z
  .strictObject({
    enabled: z.boolean().default(true),
    /** CA that signed the brokers' certificates; default: the CAs of the system. */
    ca: path.optional(),
    /** Client certificate and its key, for brokers that require them (mutual TLS). */
    certificate: path.optional(),
    key: path.optional(),
    keyPassword: z.string().optional(),
    /** False accepts any certificate: for tests only. */
    verify: z.boolean().default(true),
  })
  .refine((tls) => (tls.certificate === undefined) === (tls.key === undefined), {
    message: 'certificate and key must be set together',
  });

/** Exactly one of a secret and the file that holds it. The file is read again when it changes. */
function oneSecret<K extends string>(key: K): [(sasl: object) => boolean, { message: string; path: K[] }] {
  return [
    (sasl) => Reflect.has(sasl, key) !== Reflect.has(sasl, `${key}File`),
    { message: `needs either ${key} or ${key}File`, path: [key] },
  ];
}

const saslOptions = z.discriminatedUnion(
  'mechanism',
  [
    z
      .strictObject({
        mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
        username: z.string().min(1),
        password: z.string().min(1).optional(),
        passwordFile: path.optional(),
      })
      .refine(...oneSecret('password')),
    z
      .strictObject({
        /** OAuth 2 client credentials. Tokens are fetched from the endpoint and renewed before they expire. */
        mechanism: z.literal('OAUTHBEARER'),
        tokenEndpoint: z.url({ protocol: /^https?$/ }),
        clientId: z.string().min(1),
        clientSecret: z.string().min(1).optional(),
        clientSecretFile: path.optional(),
        scope: z.string().optional(),
      })
      .refine(...oneSecret('clientSecret')),
  ],
  { error: 'mechanism must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER' },
);

/** Confluent's levels. */
const COMPATIBILITY_LEVELS = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const;

export const registryOptions = z
  .strictObject({
    /** A registry with Confluent's API. Without a registry, events use Avro's single-object encoding. */
    url: z.url({ protocol: /^https?$/ }),
    username: z.string().min(1).optional(),
    password: z.string().optional(),
    ca: path.optional(),
    /** Register schemas that the registry does not have yet. False: only look them up. */
    register: z.boolean().default(true),
    /** Compatibility level of subjects that austream creates; null: the registry's own. Other subjects keep theirs. */
    compatibility: z.enum(COMPATIBILITY_LEVELS).nullable().default('FULL_TRANSITIVE'),
    timeoutSeconds: z.number().min(0.1).max(300).default(10),
  })
  .refine((registry) => !URL.parse(registry.url)?.password, {
    message: 'put credentials in username and password, not in the url',
    path: ['url'],
  });

const spoolOptions = z.strictObject({
  /** A folder for this process alone, on a disk that outlives the process. */
  dir: path,
  /** When the spool is larger, the oldest events are dropped and counted. */
  maxMegabytes: z.number().min(1).max(1_000_000).default(1024),
  /** Interval of fsync: a power cut can lose the events of this time. 0: fsync after each append. */
  syncSeconds: z.number().min(0).max(60).default(1),
});

const topicsOptions = z.strictObject({
  /** Create topics that do not exist. Needs the CREATE right on the cluster. */
  create: z.boolean().default(true),
  partitions: z.number().int().min(1).max(10_000).default(6),
  /** Replicas of each partition; null: the brokers' default. */
  replication: z.number().int().min(1).max(32).nullable().default(null),
  /** Replicas that must have a write before it is acknowledged; null: the brokers' default. */
  minInsyncReplicas: z.number().int().min(1).max(32).nullable().default(null),
  /** Retention of frames, activations and dead letters; null: unlimited. */
  retentionHours: z.number().positive().nullable().default(168),
  /** Retention of crops, which are pictures of faces (cluster mode only). */
  cropsRetentionMinutes: z.number().min(1).max(1440).default(10),
});

export const kafkaOptions = z
  .strictObject({
    brokers: z.array(z.string().regex(BROKER_ADDRESS, BROKER_ADDRESS_RULE)).min(1).optional(),
    /** Start librdkafka's mock broker inside this process. It needs no installation and stores nothing on disk. */
    embedded: z.boolean().default(false),
    clientId: z.string().min(1).default('austream'),
    /** Topic names are `<prefix>frames`, `<prefix>activations`, … */
    topicPrefix: z
      .string()
      .regex(/^[A-Za-z0-9._-]*$/)
      .default('au.'),
    /** kafkajs decompresses only gzip without extra packages. */
    compression: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('gzip'),
    /** How long an event may wait for others to fill a batch. */
    lingerMs: z.number().int().min(0).max(10_000).default(20),
    /**
     * Memory for events that wait for the brokers. When it is full, events go to the spool; without a spool the oldest
     * are dropped.
     */
    memoryMegabytes: z.number().min(1).max(65_536).default(64),
    /** How long to wait for the brokers at start. */
    connectSeconds: z.number().min(1).max(3600).default(15),
    /** `/readyz` fails when an event of a topic waits for longer and the brokers refuse it. */
    readySeconds: z.number().min(1).max(86_400).default(30),
    tls: tlsOptions.optional(),
    sasl: saslOptions.optional(),
    registry: registryOptions.optional(),
    /** On-disk queue for events while no broker can be reached. Without it, events wait in memory only. */
    spool: spoolOptions.optional(),
    topics: topicsOptions.prefault({}),
  })
  .refine((kafka) => kafka.embedded !== (kafka.brokers !== undefined), {
    message: 'needs either brokers: ["host:9092"] or embedded: true',
  })
  .superRefine((kafka, context) => {
    if (!kafka.embedded) return;
    for (const key of ['tls', 'sasl', 'spool'] as const)
      if (kafka[key] !== undefined)
        context.addIssue({ code: 'custom', path: [key], message: 'cannot be used with the embedded broker' });
  });
export type KafkaOptions = z.output<typeof kafkaOptions>;
export type RegistryOptions = z.output<typeof registryOptions>;
export type SpoolOptions = z.output<typeof spoolOptions>;
export type TlsOptions = z.output<typeof tlsOptions>;
export type SaslOptions = z.output<typeof saslOptions>;
