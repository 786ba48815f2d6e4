import { BatchingModel } from '../cluster/infer/batching-model.ts';
import { InferGroupMember, type InferObserver, type InferSummary } from '../cluster/infer/group-member.ts';
import type { PartitionOwnerOptions } from '../cluster/infer/partition-owner.ts';
import { requireExternalBrokers } from '../cluster/options.ts';
import { PixelDecoder } from '../cluster/pixel-codec.ts';
import { clusterTopicSpecs, clusterTopics, inferTopics } from '../cluster/topics.ts';
import type { Config } from '../config/schema.ts';
import type { ProcessGauges } from '../diagnostics.ts';
import { openModel } from '../infer/engine/index.ts';
import { createMissingTopics, withAdmin } from '../kafka/admin.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { TableReader } from '../kafka/table-reader.ts';
import { RecordEncoder } from '../records/avro.ts';
import { RecordDecoder } from '../records/decode.ts';
import { SchemaRegistry } from '../records/schema-registry.ts';
import { registerSchemas } from '../records/subjects.ts';

export interface InferWorker {
  /** Rejects when the model fails or the brokers refuse. */
  readonly done: Promise<never>;
  /** What it still lacks to be ready; empty when it is ready. */
  missing(): string[];
  /** Runs one real inference. Rejects with ENGINE_FAILED. */
  alive(): Promise<void>;
  /** How much waits for the model and for the brokers. */
  stats(): ProcessGauges;
  stop(): Promise<InferSummary>;
}

/**
 * An inference worker: reads crops from their topic and writes events to theirs, each with its offset and track state
 * in one transaction. The workers of a consumer group share the partitions.
 */
export async function openInferWorker(config: Config, observer: InferObserver = {}): Promise<InferWorker> {
  const { kafka, cluster, infer } = config;
  requireExternalBrokers(kafka);
  const model = new BatchingModel(await openModel(infer), infer.batch.max);
  const closers: (() => Promise<void>)[] = [() => model.close()];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    await model.warmUp();
    await ensureTopics(kafka);
    const states = await TableReader.open(kafka, clusterTopics(kafka.topicPrefix).inferState);
    closers.push(() => states.close());
    const resources = { ...(await openCodecs(kafka)), states, model, kafka, cluster, infer };
    const member = new InferGroupMember(resources, observer);
    await member.join();
    closers.push(() => member.leave());
    return {
      done: member.failed,
      missing: () => member.missing(),
      alive: () => model.probe(),
      stats: () => member.stats(),
      stop: async () => {
        await closeAll();
        return member.summary();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function ensureTopics(kafka: KafkaOptions): Promise<void> {
  if (!kafka.topics.create) return;
  await withAdmin(kafka, (admin) => createMissingTopics(admin, clusterTopicSpecs(kafka)));
}

/** Encoders and decoders of every record that an inference worker reads or writes. */
async function openCodecs(kafka: KafkaOptions) {
  const records = ['AuFrame', 'AuActivation', 'DeadLetter'] as const;
  const headers = kafka.registry && (await registerSchemas(kafka.registry, kafka.topicPrefix, records));
  const encoders = Object.fromEntries(
    records.map((record) => [record, new RecordEncoder(record, headers?.get(record))]),
  ) as PartitionOwnerOptions['encoders'];
  return {
    encoders,
    decoder: new RecordDecoder(kafka.registry && new SchemaRegistry(kafka.registry)),
    pixels: new PixelDecoder(),
    topics: inferTopics(kafka.topicPrefix),
  };
}
