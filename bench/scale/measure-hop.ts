import { setTimeout as sleep } from 'node:timers/promises';
import { CropBatcher } from '../../src/cluster/ingest/crop-batcher.ts';
import { CropPublisher } from '../../src/cluster/ingest/crop-publisher.ts';
import { clusterOptions } from '../../src/cluster/options.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { KafkaBroker } from '../../test/broker/kafka-broker.ts';
import { Scratch } from '../../test/e2e/austream.ts';
import { WorkerProcesses } from '../../test/e2e/cluster-workers.ts';
import { faceCrop, frameOf } from '../../test/infer/faces.ts';
import { cpuSeconds } from '../cpu-time.ts';

const FACES = 16;
const FRAMES = 256;

/**
 * CPU seconds per crop of producing crops to Kafka, and of an inference worker that processes a backlog of them into
 * events, its model included.
 */
export async function measureHop(): Promise<{ ingestCrop: number; inferCropWithModel: number }> {
  const broker = await KafkaBroker.start();
  const base = {
    kafka: { brokers: [broker.address], topicPrefix: 'hop.', topics: { partitions: 6 } },
    cluster: { group: 'hop' },
    infer: { threads: 1 },
  };
  const kafka = kafkaOptions.parse({ ...base.kafka, memoryMegabytes: 1024 });
  const crops = await CropPublisher.open(kafka, clusterOptions.parse(base.cluster), {
    dropped: (_, count, cause) => {
      throw new Error(`${count} crops lost: ${cause}`);
    },
  });
  const batcher = new CropBatcher({ hop: 16, gapSeconds: 1 });
  const before = process.cpuUsage();
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const faces = Array.from({ length: FACES }, (_, face) => faceCrop({ frame, trackId: face + 1 }));
    await crops.publish(batcher.push(frameOf(faces), 0));
  }
  await crops.publish(batcher.endEpoch('cam'));
  await crops.flush(60_000);
  const { user, system } = process.cpuUsage(before);
  await crops.close();

  using scratch = new Scratch();
  await using workers = new WorkerProcesses(scratch, base);
  const worker = await workers.start('infer');
  const idle = cpuSeconds(worker.process.pid!);
  const total = FACES * FRAMES;
  while (worker.linesOfType('frame').length < total) await sleep(200);
  const spent = cpuSeconds(worker.process.pid!) - idle;
  await workers[Symbol.asyncDispose]();
  await broker.stop();
  return { ingestCrop: (user + system) / 1e6 / total, inferCropWithModel: spent / total };
}
