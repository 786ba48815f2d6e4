import { join } from 'node:path';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineCamera } from '../../src/cluster/ingest/camera-definition.ts';
import { readCameras, writeCameras } from '../../src/cluster/ingest/camera-topic.ts';
import { kafkajsConnection } from '../../src/kafka/connection.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { startAclBroker } from '../broker/acl-broker.ts';
import type { KafkaBroker } from '../broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, Scratch } from '../e2e/austream.ts';
import { EventCollector } from '../e2e/cluster-events.ts';
import { WorkerProcesses } from '../e2e/cluster-workers.ts';
import { ofKind } from './checks/index.ts';
import { K8S, type Manifest, render, renderTogether } from './render.ts';

const PASSWORD = 'a-password-for-tests';
const PARTITIONS = 4;
/** Connects as a Kafka user, with a password instead of its certificate; the rights are the same. */
const connectAs = (user: string, broker: KafkaBroker) => ({
  brokers: [broker.secured],
  sasl: { mechanism: 'SCRAM-SHA-512' as const, username: user, password: PASSWORD },
  topics: { create: false },
});

/** The ACLs of KafkaUser objects, as kafkajs creates them. */
function aclsOf(users: readonly Manifest[]) {
  const enumValue = <T extends object>(values: T, name: string) =>
    Reflect.get(values, name.toUpperCase()) as number;
  const upperSnake = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, '_');
  return users.flatMap(({ metadata, spec }) =>
    spec.authorization.acls.flatMap(({ resource, operations }: Manifest) =>
      operations.map((operation: string) => ({
        principal: `User:${metadata.name}`,
        host: '*',
        resourceType: enumValue(AclResourceTypes, upperSnake(resource.type)),
        resourceName: resource.name,
        resourcePatternType:
          resource.patternType === 'prefix' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
        operation: enumValue(AclOperationTypes, upperSnake(operation)),
        permissionType: AclPermissionTypes.ALLOW,
      })),
    ),
  );
}

describe('the rights of kafka-strimzi’s users', () => {
  let broker: KafkaBroker;
  let admin: Admin;
  let users: string[];

  beforeAll(async () => {
    const objects = await render(join(K8S, 'overlays/gpu-cluster'));
    const all = await renderTogether(['base', 'base/run'], ['kafka-strimzi', 'keda-strimzi']);
    const manifests = ofKind(all, 'KafkaUser');
    users = manifests.map(({ metadata }) => metadata.name);
    expect(ofKind(objects, 'KafkaUser')).toEqual(manifests);
    broker = await startAclBroker(users, PASSWORD);
    admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({
      topics: ofKind(all, 'KafkaTopic').map(({ metadata }) => ({
        topic: metadata.name,
        numPartitions: PARTITIONS,
        replicationFactor: 1,
      })),
    });
    await admin.createAcls({ acl: aclsOf(manifests) });
  }, 240_000);
  afterAll(async () => {
    await admin?.disconnect();
    await broker?.stop();
  });

  it('are sufficient for cameras, ingest, inference and KEDA’s reading of the lag', async () => {
    using scratch = new Scratch();
    await using workers = new WorkerProcesses(scratch, {
      cluster: { cameras: 'topic', sources: { paths: [DEMO_CLIP] }, sessionSeconds: 6 },
      infer: { threads: 1 },
    });
    await Promise.all([
      workers.start('infer', { kafka: connectAs('austream-infer', broker) }),
      workers.start('ingest', { kafka: connectAs('austream-ingest', broker) }),
    ]);
    const administrator = kafkaOptions.parse(connectAs('austream-cameras', broker));
    const camera = defineCamera({ id: 'clip', url: `file://${DEMO_CLIP}`, analysisFps: 15 });
    await writeCameras(administrator, new Map([[camera.id, camera]]));
    expect(await readCameras(administrator, expect.unreachable)).toEqual([camera]);
    await using published = new EventCollector(broker.address, 'au.');
    await expect.poll(() => published.frames.length, { timeout: 60_000 }).toBeGreaterThan(60);
    // Even the administration of cameras gets no file of a worker that its config does not allow.
    const thief = defineCamera({ id: 'thief', url: 'rtsp://192.0.2.7/', passwordFile: '/etc/passwd' });
    await writeCameras(administrator, new Map([[thief.id, thief]]));
    const [worker] = workers.running('ingest');
    await worker!.untilLine(
      ({ type, cameraId, cause }) =>
        type === 'camera' && cameraId === 'thief' && cause === 'CAMERA_NOT_ALLOWED',
    );
    const keda = new Kafka(kafkajsConnection(kafkaOptions.parse(connectAs('austream-keda', broker)))).admin();
    await keda.connect();
    const [offsets] = await keda.fetchOffsets({ groupId: 'austream-infer', topics: ['au.crops'] });
    expect(offsets!.partitions.some(({ offset }) => Number(offset) > 0)).toBe(true);
    expect(await keda.fetchTopicOffsets('au.crops')).toHaveLength(PARTITIONS);
    await keda.disconnect();
    const ended = [...workers.running('infer'), ...workers.running('ingest')];
    expect(await Promise.all(ended.map((worker) => workers.stop(worker)))).toEqual([0, 0]);
    expect(workers.stderr).not.toMatch(/authoriz|refuse|rejects/i);
  }, 180_000);

  it('are sufficient for run', async () => {
    using scratch = new Scratch();
    const config = scratch.file('run.yaml', {
      cameras: [{ id: 'alone', url: `file://${DEMO_CLIP}`, analysisFps: 5 }],
      kafka: connectAs('austream-run', broker),
    });
    await using run = new Austream(['run', '-c', config, '--json']);
    expect(await run.exited).toBe(0);
    expect(run.linesOfType('summary')).toMatchObject([{ dropped: 0 }]);
    const frames = run.linesOfType('frame').length;
    expect(frames).toBeGreaterThan(50);
    await using published = new EventCollector(broker.address, 'au.');
    const received = () => published.frames.filter(({ cameraId }) => cameraId === 'alone').length;
    await expect.poll(received, { timeout: 30_000 }).toBe(frames);
  }, 120_000);

  it('do not include other topics', async () => {
    const refused: string[] = [];
    for (const [user, topic] of [
      ['austream-ingest', 'au.frames'],
      ['austream-ingest', 'au.camera-config'],
      ['austream-run', 'au.camera-config'],
      ['austream-cameras', 'au.crops'],
      ['austream-cameras', 'au.cameras'],
      ['austream-infer', 'au.crops'],
      ['austream-infer', 'au.camera-config'],
      ['austream-run', 'au.crops'],
      ['austream-keda', 'au.frames'],
    ] as const) {
      const { producer, disconnect } = await connected(user);
      await producer
        .send({ topic, messages: [{ value: 'forged' }] })
        .catch(({ message }: Error) => refused.push(`${user} ${topic}: ${message}`));
      await disconnect();
    }
    expect(refused).toHaveLength(9);
    for (const line of refused) expect(line).toMatch(/not authorized/i);
  }, 60_000);

  async function connected(user: string) {
    const connection = kafkajsConnection(kafkaOptions.parse(connectAs(user, broker)));
    const producer = new Kafka({ ...connection, retry: { retries: 0 } }).producer();
    await producer.connect();
    return { producer, disconnect: () => producer.disconnect() };
  }
});
