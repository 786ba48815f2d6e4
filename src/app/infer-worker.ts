import { BatchingModel } from '../cluster/infer/batching-model.ts';
import { InferGroupMember, type InferObserver, type InferSummary } from '../cluster/infer/group-member.ts';
import { requireExternalBrokers } from '../cluster/options.ts';
import { PixelDecoder } from '../cluster/pixel-codec.ts';
import { TopicCare } from '../cluster/topic-care.ts';
import { clusterTopics, inferTopics } from '../cluster/topics.ts';
import type { Config } from '../config/schema.ts';
import type { ProcessGauges } from '../diagnostics.ts';
import { openModel } from '../infer/engine/index.ts';
import { CertificateMonitor } from '../kafka/certificate-monitor.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { TableReader } from '../kafka/table-reader.ts';
import { RecordDecoder } from '../records/decode.ts';
import { openEncoders } from '../records/registered-encoders.ts';
import { SchemaRegistry } from '../records/schema-registry.ts';
import { ResourceStack } from './resource-stack.ts';
import { verifyRights } from './verify-rights.ts';

export interface InferWorker {
  /** Rejects when the model fails or the brokers refuse. */
  readonly done: Promise<never>;
  /** What it still lacks to be ready; empty when it is ready. */
  missing(): string[];
  /** Runs one real inference. Rejects with ENGINE_FAILED. */
  alive(): Promise<void>;
  /** How much waits for the model and for the brokers. */
  stats(): ProcessGauges;
  /** Commits what is scored, leaves the group and closes everything. */
  stop(): Promise<InferSummary>;
}

/**
 * An inference worker: reads crops from their topic and writes events to theirs, each with its offset and track state
 * in one transaction. The workers of a consumer group share the partitions.
 */
export async function openInferWorker(config: Config, observer: InferObserver = {}): Promise<InferWorker> {
  const { kafka, cluster, infer } = config;
  requireExternalBrokers(kafka);
  const resources = new ResourceStack();
  return resources.closeOnFailure(async () => {
    const certificates = new CertificateMonitor(kafka);
    resources.add('certificate monitor', () => certificates.close());
    const verified = verifyRights(config, 'infer');
    verified.catch(() => {});
    const model = new BatchingModel(await openModel(infer), infer.batch.max);
    resources.add('model', () => model.close());
    await model.warmUp();

    await verified;
    const topics = await TopicCare.open(kafka);
    resources.add('topics', () => topics.close());
    const states = await TableReader.open(kafka, clusterTopics(kafka.topicPrefix).inferState);
    resources.add('state table', () => states.close());

    const { close, ...codecs } = await openCodecs(kafka);
    resources.add('schema ids', close);
    const member = new InferGroupMember({ ...codecs, states, model, kafka, cluster, infer }, observer);
    await member.join();
    resources.add('group member', () => member.leave());
    return {
      done: member.failed,
      missing: () => [...member.missing(), ...topics.errors],
      alive: () => model.probe(),
      stats: () => member.stats(),
      async stop() {
        await resources.close();
        return member.summary();
      },
    };
  });
}

/** Encoders and decoders of every record that an inference worker reads or writes. */
async function openCodecs(kafka: KafkaOptions) {
  const records = ['AuFrame', 'AuActivation', 'DeadLetter'] as const;
  const { encoders, close } = await openEncoders(kafka, records);
  return {
    encoders,
    decoder: new RecordDecoder(kafka.registry && new SchemaRegistry(kafka.registry, { answered: true })),
    pixels: new PixelDecoder(),
    topics: inferTopics(kafka.topicPrefix),
    close,
  };
}
