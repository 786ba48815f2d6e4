import { type Admin, Kafka, Partitioners } from 'kafkajs';
import { cameraRedactor, cameraUrlIssue, HIDDEN } from '../../camera/credentials.ts';
import { type CameraOptions, cameraOptions } from '../../camera/options.ts';
import { isReference, passwordsOf, resolveReferences } from '../../camera/secrets.ts';
import { AustreamError } from '../../errors.ts';
import { describeIssues } from '../../issues.ts';
import { createMissingTopics, withAdmin } from '../../kafka/admin.ts';
import { kafkajsConnection } from '../../kafka/connection.ts';
import { toAustreamError } from '../../kafka/kafkajs-errors.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { TableReader } from '../../kafka/table-reader.ts';
import { requireExternalBrokers } from '../options.ts';
import { clusterTopicSpecs, clusterTopics } from '../topics.ts';

/** A camera as the topic has it: secrets are references, resolved by the worker that runs the camera. */
export type CameraDefinition = CameraOptions;

/** Checks a camera for the topic. Throws ARGUMENT_INVALID, also where a secret is given by value. */
export function defineCamera(given: unknown): CameraDefinition {
  const result = cameraOptions.safeParse(given);
  if (!result.success)
    throw new AustreamError('ARGUMENT_INVALID', `not a camera: ${describeIssues(result.error)}`);
  const literal = plaintextPasswordKey(result.data);
  if (literal !== null)
    throw new AustreamError(
      'ARGUMENT_INVALID',
      `camera ${result.data.id}: ${literal} holds a password by value`,
      {
        fix: "refer to it, as '${NAME}' (environment of the ingest workers) or '${file:/path}'; the topic is readable by others",
      },
    );
  return result.data;
}

/** The camera as it may be shown; a topic that others wrote to may have passwords by value. */
export function redactedCamera(camera: CameraDefinition): CameraDefinition {
  if (plaintextPasswordKey(camera) === null) return camera;
  const { url, password } = camera;
  return {
    ...camera,
    url: cameraRedactor(camera)(url),
    ...(password === undefined ? {} : { password: HIDDEN }),
  };
}

/** The key that holds a password by value. */
function plaintextPasswordKey({ password, url }: CameraDefinition): 'password' | 'url' | null {
  if (password !== undefined && !isReference(password)) return 'password';
  return passwordsOf(url).every(isReference) ? null : 'url';
}

/** The camera with its secrets. Throws CONFIG_INVALID where one is missing on this host, or cannot be in a URL. */
export function resolveCamera(camera: CameraDefinition): CameraOptions {
  const what = (key: string) => `camera ${camera.id}, ${key}`;
  const { username, password } = camera;
  const url = resolveReferences(camera.url, what('url'));
  const mistake = cameraUrlIssue(url);
  if (mistake !== null) throw new AustreamError('CONFIG_INVALID', `${what('url')}: ${mistake}`);
  return {
    ...camera,
    url,
    ...(username === undefined ? {} : { username: resolveReferences(username, what('username')) }),
    ...(password === undefined ? {} : { password: resolveReferences(password, what('password')) }),
  };
}

export function encodeCamera(camera: CameraDefinition): Buffer {
  return Buffer.from(JSON.stringify(camera));
}

/** Throws CONFIG_INVALID where the record is not a camera of this version. */
export function decodeCamera(value: Buffer): CameraDefinition {
  let given: unknown;
  try {
    given = JSON.parse(value.toString());
  } catch {
    // Node's message would show a part of it.
    throw new AustreamError('CONFIG_INVALID', 'its record is no JSON');
  }
  const result = cameraOptions.safeParse(given);
  if (result.success) return result.data;
  throw new AustreamError('CONFIG_INVALID', `its record is no camera: ${describeIssues(result.error)}`);
}

/** What the topic holds, partition by partition. */
type PartitionTables = readonly ReadonlyMap<string, Buffer>[];

/**
 * Writes cameras to the topic; null takes one away. Ingest workers follow at once. A new camera goes to the partition
 * that has the fewest: by their hashes alone the busiest worker would have up to twice its share.
 */
export async function writeCameras(
  kafka: KafkaOptions,
  cameras: ReadonlyMap<string, CameraDefinition | null>,
): Promise<void> {
  const topic = await ensureCameraTopic(kafka);
  const placesFor = partitionAssigner(await readTopic(kafka, topic));
  const messages = [...cameras].flatMap(([key, camera]) =>
    placesFor(key, camera !== null).map((partition) => ({
      key,
      partition,
      value: camera && encodeCamera(camera),
    })),
  );
  const producer = new Kafka(kafkajsConnection(kafka)).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    idempotent: true,
  });
  try {
    await producer.connect();
    await producer.send({ topic, acks: -1, messages });
  } catch (error) {
    throw toAustreamError(error, kafka.brokers ?? []);
  } finally {
    await producer.disconnect().catch(() => {});
  }
}

/** Every camera of the topic, by id. What cannot be read is left out and told to `unreadable`. */
export async function readCameras(
  kafka: KafkaOptions,
  unreadable: (id: string, why: string) => void,
): Promise<CameraDefinition[]> {
  const cameras: CameraDefinition[] = [];
  for (const table of await readTopic(kafka, await ensureCameraTopic(kafka)))
    for (const [id, value] of table) {
      try {
        cameras.push(decodeCamera(value));
      } catch (error) {
        unreadable(id, (error as Error).message);
      }
    }
  return cameras.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Where a camera is, or shall be. */
function partitionAssigner(placed: PartitionTables): (id: string, isNew: boolean) => number[] {
  const counts = placed.map((table) => table.size);
  return (id, isNew) => {
    const found = placed.flatMap((table, partition) => (table.has(id) ? [partition] : []));
    if (found.length > 0 || !isNew) return found;
    const emptiest = counts.indexOf(Math.min(...counts));
    counts[emptiest]! += 1;
    return [emptiest];
  };
}

async function readTopic(kafka: KafkaOptions, topic: string): Promise<PartitionTables> {
  const count = async (admin: Admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]!.partitions.length;
  };
  const partitions = await withAdmin(kafka, count, [topic]);
  const reader = await TableReader.open(kafka, topic);
  try {
    const tables: ReadonlyMap<string, Buffer>[] = [];
    for (let partition = 0; partition < partitions; partition += 1) tables.push(await reader.read(partition));
    return tables;
  } finally {
    await reader.close();
  }
}

async function ensureCameraTopic(kafka: KafkaOptions): Promise<string> {
  requireExternalBrokers(kafka);
  const { cameraConfig } = clusterTopics(kafka.topicPrefix);
  if (kafka.topics.create) {
    const specs = clusterTopicSpecs(kafka).filter(({ name }) => name === cameraConfig);
    await withAdmin(kafka, (admin) => createMissingTopics(admin, specs));
  }
  return cameraConfig;
}
