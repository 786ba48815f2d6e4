import { z } from 'zod';

const path = z.string().min(1);

/** Certificates are files in PEM form. */
const tlsOptions = z
  .strictObject({
    enabled: z.boolean().default(true),
    /** Authority that signed the brokers' certificates; without one, the system's authorities. */
    ca: path.optional(),
    /** Client certificate and its key, where brokers ask for them. */
    certificate: path.optional(),
    key: path.optional(),
    keyPassword: z.string().optional(),
    /** False accepts any certificate: for trying out only. */
    verify: z.boolean().default(true),
  })
  .refine((tls) => (tls.certificate === undefined) === (tls.key === undefined), {
    message: 'certificate and key go together',
  });

const saslOptions = z.discriminatedUnion(
  'mechanism',
  [
    z.strictObject({
      mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
      username: z.string().min(1),
      password: z.string().min(1),
    }),
    z.strictObject({
      /** OAuth 2 client credentials: a token is fetched from the endpoint and renewed before it expires. */
      mechanism: z.literal('OAUTHBEARER'),
      tokenEndpoint: z.url({ protocol: /^https?$/ }),
      clientId: z.string().min(1),
      clientSecret: z.string().min(1),
      scope: z.string().optional(),
    }),
  ],
  { error: 'mechanism must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER' },
);

export const registryOptions = z
  .strictObject({
    /** Confluent-compatible API. Without a registry, events use Avro's single-object encoding. */
    url: z.url({ protocol: /^https?$/ }),
    username: z.string().min(1).optional(),
    password: z.string().optional(),
    ca: path.optional(),
    /** Register schemas that the registry does not have yet; false only looks them up. */
    register: z.boolean().default(true),
    timeoutSeconds: z.number().min(0.1).max(300).default(10),
  })
  .refine((registry) => !new URL(registry.url).password, {
    message: 'credentials do not belong in the url: use username and password',
    path: ['url'],
  });

const spoolOptions = z.strictObject({
  /** Folder of its own, on a disk that outlives the process. */
  dir: path,
  /** Past this size the oldest events go, counted. */
  maxMegabytes: z.number().min(1).max(1_000_000).default(1024),
  /** Appends are forced to the disk this often: what a power cut can cost. 0 forces each one. */
  syncSeconds: z.number().min(0).max(60).default(1),
});

const topicsOptions = z.strictObject({
  /** Create topics that do not exist; needs the right to do so. */
  create: z.boolean().default(true),
  partitions: z.number().int().min(1).max(10_000).default(6),
  /** Copies of each partition; null takes the brokers' default. */
  replication: z.number().int().min(1).max(32).nullable().default(null),
  /** Copies that must have a write before it counts; null takes the brokers' default. */
  minInsyncReplicas: z.number().int().min(1).max(32).nullable().default(null),
  /** How long frames, activations and dead letters are kept; null keeps them for ever. */
  retentionHours: z.number().positive().nullable().default(168),
  /** How long crops, which are pictures of faces, are kept (cluster mode only). */
  cropsRetentionMinutes: z.number().min(1).max(1440).default(10),
});

export const kafkaOptions = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^[^\s/]+:\d+$/, 'must be host:port'))
      .min(1)
      .optional(),
    /** librdkafka's own broker inside this process: nothing to install, keeps nothing. */
    embedded: z.boolean().default(false),
    clientId: z.string().min(1).default('austream'),
    /** Topic names are `<prefix>frames`, `<prefix>activations`, … */
    topicPrefix: z
      .string()
      .regex(/^[A-Za-z0-9._-]*$/)
      .default('au.'),
    /** kafkajs reads gzip and none without extra packages. */
    compression: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('gzip'),
    /** Longest wait of an event for company in a batch. */
    lingerMs: z.number().int().min(0).max(10_000).default(20),
    /** Events that wait for the brokers take at most this much memory; then the spool, or the oldest go. */
    memoryMegabytes: z.number().min(1).max(65_536).default(64),
    /** Longest wait for the brokers when starting. */
    connectSeconds: z.number().min(1).max(3600).default(15),
    tls: tlsOptions.optional(),
    sasl: saslOptions.optional(),
    registry: registryOptions.optional(),
    /** Where events wait while brokers are away; without one they wait in memory only. */
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
        context.addIssue({ code: 'custom', path: [key], message: 'has no use with the embedded broker' });
  });
export type KafkaOptions = z.output<typeof kafkaOptions>;
export type RegistryOptions = z.output<typeof registryOptions>;
export type SpoolOptions = z.output<typeof spoolOptions>;
export type TlsOptions = z.output<typeof tlsOptions>;
export type SaslOptions = z.output<typeof saslOptions>;
