import { z } from 'zod';
import { AustreamError } from '../errors.ts';
import type { KafkaOptions } from '../kafka/options.ts';

/** Ingest and inference as workers of their own, with Kafka between them. */
export const clusterOptions = z.strictObject({
  /** Workers of one cluster share this name: consumer groups `<group>-ingest` and `<group>-infer`. */
  group: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, 'letters, digits, dot, dash and underscore')
    .default('austream'),
  /** config: an ingest worker runs the cameras of its own config; topic: all of them share out `<prefix>camera-config`. */
  cameras: z.enum(['config', 'topic']).default('config'),
  /** How crops travel. */
  crops: z
    .strictObject({
      /** raw: lossless, 37 kB a crop; jpeg: about a tenth, at some cost in the scores. */
      encoding: z.enum(['raw', 'jpeg']).default('raw'),
      /** Of JPEG. */
      quality: z.number().int().min(1).max(100).default(95),
      compression: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('none'),
      /** Longest wait of a crop for the rest of its hop. */
      maxWaitMs: z.number().int().min(10).max(60_000).default(1_000),
    })
    .prefault({}),
  /** A worker that gives no sign of life for this long loses its partitions to others. */
  sessionSeconds: z.number().min(6).max(300).default(10),
  /** Events of one partition go out together, at most this often. */
  commitMs: z.number().int().min(0).max(10_000).default(100),
  /** A live track of which nothing comes for this long, its mark of the end neither, is closed like a gap. */
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
