import { z } from 'zod';
import { allowedSecrets, allowedSources } from '../camera/allow-list.ts';
import { AustreamError } from '../errors.ts';
import type { KafkaOptions } from '../kafka/options.ts';

/** Ingest and inference as separate worker processes with Kafka between them. */
export const clusterOptions = z.strictObject({
  /** Name of the cluster. Its consumer groups are `<group>-ingest` and `<group>-infer`. */
  group: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, 'letters, digits, dot, dash and underscore')
    .default('austream'),
  /** config: an ingest worker runs its own cameras; topic: the workers divide those of `<prefix>camera-config`. */
  cameras: z.enum(['config', 'topic']).default('config'),
  /**
   * What cameras may use of this machine that are not in its config file: those of the topic, and those added at the
   * control socket or on the live page.
   */
  secrets: allowedSecrets.prefault({}),
  sources: allowedSources.prefault({}),
  /** How crops are encoded on the crops topic. */
  crops: z
    .strictObject({
      /** raw: lossless, 37 kB a crop; jpeg: about a tenth of that, with slightly different scores. */
      encoding: z.enum(['raw', 'jpeg']).default('raw'),
      /** JPEG quality, 1…100. */
      quality: z.number().int().min(1).max(100).default(95),
      compression: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('none'),
      /** Longest time that a crop waits for the rest of its hop. */
      maxWaitMs: z.number().int().min(10).max(60_000).default(1_000),
    })
    .prefault({}),
  /** Session timeout: a worker that sends no heartbeat for this long loses its partitions. */
  sessionSeconds: z.number().min(6).max(300).default(10),
  /** Shortest time between two transactions of a partition. */
  commitMs: z.number().int().min(0).max(10_000).default(100),
  /** A live track that sends nothing for this long, not even its end, is closed as if there were a gap. */
  idleSeconds: z.number().min(5).max(3_600).default(60),
});
export type ClusterOptions = z.output<typeof clusterOptions>;

/** Workers are separate processes and the embedded broker lives inside one. Throws CONFIG_INVALID for it. */
export function requireExternalBrokers(kafka: KafkaOptions): void {
  if (kafka.embedded)
    throw new AustreamError(
      'CONFIG_INVALID',
      'kafka.embedded: the workers of a cluster cannot share an embedded broker',
      {
        fix: 'set kafka.brokers: ["host:9092"], or use austream run for everything in one process',
      },
    );
}
