import { createMissingTopics, partitionCount, withAdmin } from '../../kafka/admin.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { TableReader } from '../../kafka/table-reader.ts';
import { writeTable } from '../../kafka/table-writer.ts';
import { requireExternalBrokers } from '../options.ts';
import { clusterTopicSpecs, clusterTopics } from '../topics.ts';
import { type CameraDefinition, decodeCamera, encodeCamera } from './camera-definition.ts';

/** Characters of a key in a message; a camera's id has at most 64. */
const MAX_SHOWN_KEY = 64;

/** The content of the topic: cameras by id, by partition. */
type PartitionTables = readonly ReadonlyMap<string, Buffer>[];

/**
 * Writes cameras to the topic; null removes one. Ingest workers apply the change at once. A new camera goes to the
 * partition with the fewest cameras: by key hash the busiest worker would get up to twice the average.
 */
export async function writeCameras(
  kafka: KafkaOptions,
  cameras: ReadonlyMap<string, CameraDefinition | null>,
): Promise<void> {
  const topic = await ensureCameraTopic(kafka);
  const partitionsOf = partitionAssigner(await readTopic(kafka, topic));
  const records = [...cameras].flatMap(([key, camera]) =>
    partitionsOf(key, camera !== null).map((partition) => ({
      key,
      partition,
      value: camera && encodeCamera(camera),
    })),
  );
  await writeTable(kafka, topic, records);
}

/** Every camera of the topic, sorted by id. Records that cannot be read are reported to `unreadable`. */
export async function readCameras(
  kafka: KafkaOptions,
  unreadable: (id: string, reason: string) => void,
): Promise<CameraDefinition[]> {
  const cameras: CameraDefinition[] = [];
  for (const table of await readTopic(kafka, await ensureCameraTopic(kafka)))
    for (const [id, value] of table) {
      try {
        cameras.push(decodeCamera(id, value));
      } catch (error) {
        unreadable(id.slice(0, MAX_SHOWN_KEY), (error as Error).message);
      }
    }
  return cameras.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Returns the partitions that hold a camera; for a new one, the partition with the fewest cameras. */
function partitionAssigner(tables: PartitionTables): (id: string, isNew: boolean) => number[] {
  const counts = tables.map((table) => table.size);
  return (id, isNew) => {
    const found = tables.flatMap((table, partition) => (table.has(id) ? [partition] : []));
    if (found.length > 0 || !isNew) return found;
    const smallest = counts.indexOf(Math.min(...counts));
    counts[smallest]! += 1;
    return [smallest];
  };
}

async function readTopic(kafka: KafkaOptions, topic: string): Promise<PartitionTables> {
  const partitions = await withAdmin(kafka, (admin) => partitionCount(admin, topic), { topics: [topic] });
  const reader = await TableReader.open(kafka, topic);
  try {
    const tables: ReadonlyMap<string, Buffer>[] = [];
    for (let partition = 0; partition < partitions; partition += 1) tables.push(await reader.read(partition));
    return tables;
  } finally {
    await reader.close();
  }
}

/**
 * The topic's name, after creating it if `kafka.topics.create` allows. With `refused`, a topic that this user may not create
 * is no failure.
 */
export async function ensureCameraTopic(
  kafka: KafkaOptions,
  refused?: (topic: string) => void,
): Promise<string> {
  requireExternalBrokers(kafka);
  const { cameraConfig } = clusterTopics(kafka.topicPrefix);
  if (kafka.topics.create) {
    const specs = clusterTopicSpecs(kafka).filter(({ name }) => name === cameraConfig);
    await withAdmin(kafka, (admin) => createMissingTopics(admin, specs, refused));
  }
  return cameraConfig;
}
