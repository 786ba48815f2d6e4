import { z } from 'zod';

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
  })
  .refine((kafka) => kafka.embedded !== (kafka.brokers !== undefined), {
    message: 'needs either brokers: ["host:9092"] or embedded: true',
  });
export type KafkaOptions = z.output<typeof kafkaOptions>;
