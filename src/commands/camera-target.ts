import { cameraOptions } from '../camera/options.ts';
import { resolveReferences } from '../camera/resolve.ts';
import { isSecretReference, ownSecrets } from '../camera/secrets.ts';
import { type CameraDefinition, defineCamera, redactedCamera } from '../cluster/ingest/camera-definition.ts';
import { readCameras, writeCameras } from '../cluster/ingest/camera-topic.ts';
import { loadConfig } from '../config/schema.ts';
import { sendControlRequest } from '../control/client.ts';
import { controlSocket } from '../control/options.ts';
import { AustreamError } from '../errors.ts';
import type { ListedCamera, PauseChange } from '../ingest/host/camera-set.ts';
import { describeIssues } from '../issues.ts';
import { splitBrokers } from '../kafka/broker-address.ts';
import { type KafkaOptions, kafkaOptions } from '../kafka/options.ts';
import { printable } from '../printable.ts';
import { printNote } from './output.ts';

export interface TargetFlags {
  socket?: string;
  brokers?: string;
  prefix?: string;
  config?: string;
}

/** The set of cameras that a command lists or changes. */
export interface CameraTarget {
  /** Each camera as JSON and as a line of text. */
  list(): Promise<readonly { readonly json: object; readonly text: string }[]>;
  /** Validates the cameras and adds them. Returns the outcome by camera id. Throws ARGUMENT_INVALID. */
  add(cameras: readonly unknown[]): Promise<Readonly<Record<string, string>>>;
  /** Removes all or none. Throws ARGUMENT_INVALID when an id is unknown. */
  remove(ids: readonly string[]): Promise<void>;
  /** Pauses or resumes all or none. Returns the outcome by camera id. Throws ARGUMENT_INVALID when an id is unknown. */
  setPaused(ids: readonly string[], paused: boolean): Promise<Readonly<Record<string, string>>>;
}

/**
 * With brokers, the target is the camera topic of a cluster; otherwise the austream process that runs on this machine.
 * Throws ARGUMENT_INVALID when the flags contradict each other.
 */
export function openCameraTarget({ socket, brokers, prefix, config }: TargetFlags): CameraTarget {
  if ([socket, brokers, config].filter((flag) => flag !== undefined).length > 1)
    throw new AustreamError('ARGUMENT_INVALID', '--socket, --brokers and --config exclude each other', {
      fix: 'give one of them, or none for the austream that runs on this machine',
    });
  if (socket !== undefined) return localTarget(socket);
  if (brokers !== undefined) return clusterTarget(clusterKafka(brokers, prefix));
  if (prefix !== undefined)
    throw new AustreamError('ARGUMENT_INVALID', '--prefix needs --brokers', {
      fix: 'give --brokers host:port, or leave out --prefix',
    });
  if (config === undefined) return localTarget(controlSocket({})!);
  const { cluster, kafka, control } = loadConfig(config);
  if (cluster.cameras === 'topic') return clusterTarget(kafka);
  const path = controlSocket(control);
  if (path === null)
    throw new AustreamError('ARGUMENT_INVALID', `${config} has control.socket: null`, {
      fix: 'edit the cameras in the config file instead; a running austream applies the changes',
    });
  return localTarget(path);
}

function clusterTarget(kafka: KafkaOptions): CameraTarget {
  return {
    async list() {
      const cameras = await readCameras(kafka, (id, why) =>
        printNote(`austream: camera ${printable(id)} cannot be read: ${printable(why)}`),
      );
      return cameras
        .map(redactedCamera)
        .map((camera) => ({ json: camera, text: printable(definitionText(camera)) }));
    },
    async add(definitions) {
      const cameras = definitions.map(defineCamera);
      await writeCameras(kafka, new Map(cameras.map((camera) => [camera.id, camera])));
      return Object.fromEntries(cameras.map(({ id }) => [id, 'added']));
    },
    async remove(ids) {
      await readKnown(kafka, ids);
      await writeCameras(kafka, new Map(ids.map((id) => [id, null])));
    },
    async setPaused(ids, paused) {
      const cameras = await readKnown(kafka, ids);
      const changed = cameras.filter((camera) => (camera.paused ?? false) !== paused);
      await writeCameras(
        kafka,
        new Map(
          changed.map(({ paused: _, ...camera }) => [camera.id, paused ? { ...camera, paused } : camera]),
        ),
      );
      return Object.fromEntries(
        ids.map((id) => {
          if (!changed.some((camera) => camera.id === id)) return [id, 'unchanged'];
          return [id, paused ? 'paused until it is resumed' : 'resumed'];
        }),
      );
    },
  };
}

function localTarget(socket: string): CameraTarget {
  return {
    async list() {
      const { cameras } = await sendControlRequest(socket, { op: 'list' });
      return cameras.map((camera) => ({ json: camera, text: printable(statusText(camera)) }));
    },
    async add(definitions) {
      const cameras = definitions.map((camera) => {
        const result = cameraOptions.safeParse(camera);
        if (result.success) return resolveReferences(result.data, ownSecrets());
        throw new AustreamError('ARGUMENT_INVALID', `not a camera: ${describeIssues(result.error)}`, {
          fix: 'austream.example.yaml shows every key of a camera',
        });
      });
      return (await sendControlRequest(socket, { op: 'add', cameras })).changes;
    },
    async remove(ids) {
      await sendControlRequest(socket, { op: 'remove', ids: [...ids] });
    },
    async setPaused(ids, paused) {
      const op = paused ? 'pause' : 'resume';
      const { changes } = await sendControlRequest(socket, { op, ids: [...ids] });
      return Object.fromEntries(Object.entries(changes).map(([id, change]) => [id, CHANGE_TEXT[change]]));
    },
  };
}

/** The cameras of the topic with these ids. Throws ARGUMENT_INVALID when one is unknown. */
async function readKnown(kafka: KafkaOptions, ids: readonly string[]): Promise<CameraDefinition[]> {
  const cameras = (await readCameras(kafka, () => {})).filter(({ id }) => ids.includes(id));
  const unknown = ids.find((id) => !cameras.some((camera) => camera.id === id));
  if (unknown !== undefined)
    throw new AustreamError('ARGUMENT_INVALID', `there is no camera ${unknown}`, {
      fix: 'austream cameras list shows the ids',
    });
  return cameras;
}

const CHANGE_TEXT: Readonly<Record<PauseChange, string>> = {
  paused: 'paused until it is resumed or austream restarts; paused: true in the config outlasts a restart',
  resumed: 'resumed',
  scheduled: 'no operator pauses it, but its schedule does',
  unchanged: 'unchanged',
};

/** Rejects a password given by value: every user of this machine can read the arguments of a command. */
export function requireReference(password: string | undefined): void {
  if (password === undefined || isSecretReference(password)) return;
  throw new AustreamError(
    'ARGUMENT_INVALID',
    '--password holds the password itself, which other users of this machine can see',
    {
      fix: "give a reference: '${NAME}' (an environment variable) or '${file:/path}'",
    },
  );
}

function clusterKafka(brokers: string, prefix: string | undefined): KafkaOptions {
  const result = kafkaOptions.safeParse({
    brokers: splitBrokers(brokers),
    ...(prefix === undefined ? {} : { topicPrefix: prefix }),
  });
  if (!result.success)
    throw new AustreamError('ARGUMENT_INVALID', `--brokers or --prefix: ${result.error.issues[0]!.message}`, {
      fix: 'give --brokers host:port,host:port',
    });
  return result.data;
}

function definitionText(camera: CameraDefinition): string {
  const { id, url, username, analysisFps, transport, decoder, paused } = camera;
  const user = username === undefined ? '' : ` as ${username}`;
  return `${id}: ${url}${user}, ${analysisFps} fps, ${transport}, decoder ${decoder}${paused ? ', paused' : ''}`;
}

function statusText({ id, url, status }: ListedCamera): string {
  if (status === null) return `${id}: ${url}`;
  const { state, detail, fps } = status;
  return `${id}: ${state}${fps === null ? '' : ` at ${fps} fps`}, ${url}, ${detail}`;
}
