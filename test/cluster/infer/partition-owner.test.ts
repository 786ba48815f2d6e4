import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Mutex } from 'async-mutex';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BrokerTurns } from '../../../src/cluster/infer/broker-turns.ts';
import { PartitionOwner } from '../../../src/cluster/infer/partition-owner.ts';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import { clusterOptions } from '../../../src/cluster/options.ts';
import { PixelDecoder } from '../../../src/cluster/pixel-codec.ts';
import { inferTopics } from '../../../src/cluster/topics.ts';
import type { AuFrame } from '../../../src/domain/event.ts';
import { faceKey } from '../../../src/domain/track-key.ts';
import { inferOptions } from '../../../src/infer/options.ts';
import { GroupReader } from '../../../src/kafka/group-reader.ts';
import { kafkaOptions, registryOptions } from '../../../src/kafka/options.ts';
import { TableReader } from '../../../src/kafka/table-reader.ts';
import { RecordEncoder, schemaText } from '../../../src/records/avro.ts';
import { RecordDecoder } from '../../../src/records/decode.ts';
import { confluentHeader, SchemaRegistry } from '../../../src/records/schema-registry.ts';
import { topicNames } from '../../../src/records/topics.ts';
import { MockBroker } from '../../broker/mock-broker.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';
import { fakeModel } from '../../infer/fake-model.ts';

const HOP = 4;
const SCHEMA_ID = 7;
/** Stands for HTTP 404 with Confluent's error code, which a replica that lags also returns. */
const UNKNOWN_SCHEMA = 40403;
const TIMEOUT = { timeout: 40_000 };
const topics = inferTopics('au.');
const { crops, state: inferState } = topics;

let broker: MockBroker;
let registry: Server;
/** Status codes of the registry's next answers; after them it returns the schema. */
let statuses: number[] = [];
beforeAll(async () => {
  broker = await MockBroker.start([...Object.values(topicNames('au.')), inferState]);
  registry = createServer((_, response) => {
    const status = statuses.shift() ?? 200;
    if (status === 404) return response.writeHead(404).end('<h1>Not Found</h1>');
    if (status === UNKNOWN_SCHEMA)
      return response.writeHead(404).end('{"error_code": 40403, "message": "no"}');
    const body = status === 200 ? { schema: schemaText('FaceCropBatch') } : { message: 'not now' };
    return response.writeHead(status).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  const encoder = new RecordEncoder('FaceCropBatch', confluentHeader(SCHEMA_ID));
  const batcher = new CropBatcher({ hop: HOP, gapSeconds: 1 });
  const frames = Array.from({ length: HOP }, (_, frame) => frameOf([faceCrop({ frame, live: true })]));
  for (const batch of [...frames.flatMap((frame) => batcher.push(frame, 0)), ...batcher.endEpoch('cam')])
    broker.send(crops, 0, encoder.encode(batch), faceKey(batch));
});
afterAll(async () => {
  registry.close();
  await broker.stop();
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A worker in a group of its own: it owns every partition of the crops. */
async function startWorker(group: string) {
  const kafka = kafkaOptions.parse({ brokers: broker.addresses });
  const observed = { frames: [] as AuFrame[], skipped: [] as string[], failures: [] as unknown[] };
  const owners = new Map<number, PartitionOwner>();
  const states = await TableReader.open(kafka, inferState);
  closers.push(() => states.close());
  const { port } = registry.address() as AddressInfo;
  const options = {
    kafka,
    states,
    cluster: clusterOptions.parse({ group, sessionSeconds: 6 }),
    infer: inferOptions.parse({ hop: HOP }),
    model: fakeModel(16, HOP),
    decoder: new RecordDecoder(
      new SchemaRegistry(registryOptions.parse({ url: `http://127.0.0.1:${port}` })),
    ),
    pixels: new PixelDecoder(),
    encoders: {
      AuFrame: new RecordEncoder('AuFrame'),
      AuActivation: new RecordEncoder('AuActivation'),
      DeadLetter: new RecordEncoder('DeadLetter'),
    },
    topics,
    turn: new BrokerTurns().forPartition(),
    workerId: group,
    alone: new Mutex(),
  };
  const reader: GroupReader = await GroupReader.open(
    kafka,
    { topic: crops, group: `${group}-infer`, sessionSeconds: 6, from: 'end' },
    {
      assigned: (partition) => {
        const owner = new PartitionOwner(
          partition,
          { ...options, reader },
          {
            committed: (frames) => void observed.frames.push(...frames),
            skipped: (cause) => void observed.skipped.push(cause),
            expired: () => {},
            setAside: () => {},
            rewound: () => {},
            undeliverable: () => {},
            held: () => {},
            stateUnreadable: () => {},
            failed: (error) => void observed.failures.push(error),
          },
        );
        owners.set(partition, owner);
      },
      revoked: async (partition) => owners.get(partition)?.close(),
      message: (message) => owners.get(message.partition)?.accept(message),
      caughtUp: (partition) => owners.get(partition)?.caughtUp(),
    },
  );
  closers.push(async () => {
    await Promise.all([...owners.values()].map((owner) => owner.close()));
    await reader.close();
  });
  return { reader, ...observed };
}

describe('PartitionOwner', () => {
  it('fails if the registry rejects it, and skips nothing', async () => {
    statuses = Array.from({ length: 1_000 }, () => 401);
    const { reader, failures, skipped } = await startWorker('rejected');
    await expect.poll(() => failures.length + skipped.length, TIMEOUT).toBeGreaterThan(0);
    expect(skipped).toEqual([]);
    expect(failures[0]).toMatchObject({ code: 'REGISTRY_REJECTED' });
    expect(await reader.committed(0)).toBeNull();
  });

  it('keeps crops during an outage of the registry, until it returns their schema', async () => {
    statuses = [503, 404, UNKNOWN_SCHEMA, 429, UNKNOWN_SCHEMA, 500];
    const { frames, skipped, failures } = await startWorker('waiting');
    await expect.poll(() => frames.length + skipped.length, TIMEOUT).toBe(HOP);
    expect({ skipped, failures }).toEqual({ skipped: [], failures: [] });
    expect(statuses).toEqual([]);
  });
});
