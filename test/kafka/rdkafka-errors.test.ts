import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openInferWorker } from '../../src/app/infer-worker.ts';
import { CropBatcher } from '../../src/cluster/ingest/crop-batcher.ts';
import { configSchema } from '../../src/config/schema.ts';
import { faceKey } from '../../src/domain/track-key.ts';
import { GroupReader } from '../../src/kafka/group-reader.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { RecordEncoder } from '../../src/records/avro.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';

const WAIT = { timeout: 60_000 };
const USER = { username: 'worker', password: 'canary-81c2' };

let broker: KafkaBroker;
let kafka: Kafka;
beforeAll(async () => {
  broker = await KafkaBroker.start({
    secured: 'SASL_PLAINTEXT',
    scram: [`SCRAM-SHA-256=[name=${USER.username},password=${USER.password}]`],
    properties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': 'true',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
      'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      // Connections must authenticate again after this time (KIP-368).
      'connections.max.reauth.ms': 4_000,
    },
  });
  kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
}, 180_000);
afterAll(() => broker?.stop());

/** Denies everyone every operation on the topic except DESCRIBE, or ends that. */
async function setDenied(topic: string, isDenied: boolean): Promise<void> {
  const acl = {
    principal: 'User:ANONYMOUS',
    host: '*',
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    operation: AclOperationTypes.DESCRIBE,
    permissionType: AclPermissionTypes.ALLOW,
  };
  const admin = kafka.admin();
  await admin.connect();
  if (isDenied) await admin.createAcls({ acl: [acl] });
  else await admin.deleteAcls({ filters: [acl] });
  await admin.disconnect();
}

describe('a worker that the brokers reject', () => {
  it('holds its events while it may not publish, and says why', async () => {
    const config = configSchema.parse({
      kafka: { brokers: [broker.address], topicPrefix: 'denied.', topics: { partitions: 1 } },
      cluster: { sessionSeconds: 6 },
      infer: { threads: 1 },
    });
    let committed = 0;
    const worker = await openInferWorker(config, { frames: (events) => (committed += events.length) });
    await setDenied('denied.frames', true);
    const encoder = new RecordEncoder('FaceCropBatch');
    const batcher = new CropBatcher({ hop: 16, gapSeconds: 1 });
    const frames = Array.from({ length: 16 }, (_, frame) => frameOf([faceCrop({ frame, live: true })]));
    const batches = [...frames.flatMap((frame) => batcher.push(frame, 0)), ...batcher.endEpoch('cam')];
    const producer = kafka.producer();
    await producer.connect();
    const messages = batches.map((batch) => ({ key: faceKey(batch), value: encoder.encode(batch) }));
    await producer.send({ topic: 'denied.crops', messages });
    await producer.disconnect();
    try {
      const held = () => worker.stats().publisher.topics?.map(({ held }) => held?.cause);
      await expect.poll(held, WAIT).toContain('kafka_topic_authorization_failed');
      expect(committed).toBe(0);
      const frames = worker.stats().publisher.topics?.find(({ topic }) => topic === 'denied.frames');
      expect(frames).toMatchObject({ pending: 16, oldestSeconds: expect.any(Number), dropped: 0 });
      await setDenied('denied.frames', false);
      await expect.poll(() => committed, WAIT).toBe(16);
      expect(new Set(held())).toEqual(new Set([undefined]));
    } finally {
      await worker.stop();
    }
  }, 180_000);

  it('fails when its user is removed while it runs', async () => {
    const options = kafkaOptions.parse({
      brokers: [broker.secured],
      sasl: { mechanism: 'SCRAM-SHA-256', ...USER },
    });
    let onAssigned = () => {};
    const assigned = new Promise<void>((resolve) => {
      onAssigned = resolve;
    });
    const reader = await GroupReader.open(
      options,
      { topic: 'denied.crops', group: 'readers', sessionSeconds: 6, from: 'end' },
      { assigned: onAssigned, revoked: async () => {}, message: () => {}, caughtUp: () => {} },
    );
    await assigned;
    await broker.removeUser(USER.username);
    await expect(reader.failed).rejects.toMatchObject({
      code: 'KAFKA_REJECTED',
      message: expect.not.stringContaining(USER.password),
    });
    await reader.close();
  }, 180_000);
});
