import { type Admin, Kafka, Partitioners } from 'kafkajs';
import { cameraRedactor, cameraUrlIssue, REDACTED } from '../../camera/credentials.ts';
import { type CameraOptions, cameraOptions } from '../../camera/options.ts';
import { isSecretReference, passwordsInUrl, resolveSecretReferences } from '../../camera/secrets.ts';
import { AustreamError } from '../../errors.ts';
import { describeIssues } from '../../issues.ts';
import { createMissingTopics, withAdmin } from '../../kafka/admin.ts';
import { kafkajsConnection } from '../../kafka/connection.ts';
import { toAustreamError } from '../../kafka/kafkajs-errors.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { TableReader } from '../../kafka/table-reader.ts';
import { requireExternalBrokers } from '../options.ts';
import { clusterTopicSpecs, clusterTopics } from '../topics.ts';

/** A camera as it is on the topic: secrets are references, which the worker that runs the camera resolves. */
export type CameraDefinition = CameraOptions;

/** Validates a camera for the topic. Throws ARGUMENT_INVALID, also if it holds a password in plain text. */
export function defineCamera(input: unknown): CameraDefinition {
  const result = cameraOptions.safeParse(input);
  if (!result.success)
    throw new AustreamError('ARGUMENT_INVALID', `not a valid camera: ${describeIssues(result.error)}`);
  const key = plaintextPasswordKey(result.data);
  if (key !== null)
    throw new AustreamError(
      'ARGUMENT_INVALID',
      `camera ${result.data.id}: ${key} holds a password in plain text`,
      {
        fix: "write a reference, '${NAME}' (environment of the ingest workers) or '${file:/path}': others can read the topic",
      },
    );
  return result.data;
}

/** The camera without plain-text passwords, which other writers may have put on the topic. */
export function redactedCamera(camera: CameraDefinition): CameraDefinition {
  if (plaintextPasswordKey(camera) === null) return camera;
  const { url, password } = camera;
  return {
    ...camera,
    url: cameraRedactor(camera)(url),
    ...(password === undefined ? {} : { password: REDACTED }),
  };
}

/** The key that holds a password in plain text; null: none does. */
function plaintextPasswordKey({ password, url }: CameraDefinition): 'password' | 'url' | null {
  if (password !== undefined && !isSecretReference(password)) return 'password';
  return passwordsInUrl(url).every(isSecretReference) ? null : 'url';
}

/** The camera with its secrets. Throws CONFIG_INVALID if one is missing on this host or is not valid in a URL. */
export function resolveCamera(camera: CameraDefinition): CameraOptions {
  const label = (key: string) => `camera ${camera.id}, ${key}`;
  const { username, password } = camera;
  const url = resolveSecretReferences(camera.url, label('url'));
  const issue = cameraUrlIssue(url);
  if (issue !== null) throw new AustreamError('CONFIG_INVALID', `${label('url')}: ${issue}`);
  return {
    ...camera,
    url,
    ...(username === undefined ? {} : { username: resolveSecretReferences(username, label('username')) }),
    ...(password === undefined ? {} : { password: resolveSecretReferences(password, label('password')) }),
  };
}

export function encodeCamera(camera: CameraDefinition): Buffer {
  return Buffer.from(JSON.stringify(camera));
}

/** Throws CONFIG_INVALID if the record is not a camera of this version. */
export function decodeCamera(value: Buffer): CameraDefinition {
  let json: unknown;
  try {
    json = JSON.parse(value.toString());
  } catch {
    // Without the cause: its message quotes the record, which may hold a password.
    throw new AustreamError('CONFIG_INVALID', 'its record is not JSON');
  }
  const result = cameraOptions.safeParse(json);
  if (result.success) return result.data;
  throw new AustreamError(
    'CONFIG_INVALID',
    `its record is not a valid camera: ${describeIssues(result.error)}`,
  );
}

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
  const messages = [...cameras].flatMap(([key, camera]) =>
    partitionsOf(key, camera !== null).map((partition) => ({
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

/** Every camera of the topic, sorted by id. Records that cannot be read are reported to `unreadable`. */
export async function readCameras(
  kafka: KafkaOptions,
  unreadable: (id: string, reason: string) => void,
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

/** The topic's name, after creating it if `kafka.topics.create` allows. */
async function ensureCameraTopic(kafka: KafkaOptions): Promise<string> {
  requireExternalBrokers(kafka);
  const { cameraConfig } = clusterTopics(kafka.topicPrefix);
  if (kafka.topics.create) {
    const specs = clusterTopicSpecs(kafka).filter(({ name }) => name === cameraConfig);
    await withAdmin(kafka, (admin) => createMissingTopics(admin, specs));
  }
  return cameraConfig;
}
