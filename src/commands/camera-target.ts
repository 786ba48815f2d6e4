import { cameraOptions } from '../camera/options.ts';
import { isReference } from '../camera/secrets.ts';
import {
  type CameraDefinition,
  defineCamera,
  readCameras,
  redactedCamera,
  resolveCamera,
  writeCameras,
} from '../cluster/ingest/camera-config.ts';
import { loadConfig } from '../config/schema.ts';
import { askControl } from '../control/client.ts';
import { controlSocket } from '../control/options.ts';
import { AustreamError } from '../errors.ts';
import type { ListedCamera } from '../ingest/host/cameras.ts';
import { describeIssues } from '../issues.ts';
import { type KafkaOptions, kafkaOptions } from '../kafka/options.ts';

export interface TargetFlags {
  socket?: string;
  brokers?: string;
  prefix?: string;
  config?: string;
}

/** Whose cameras the command is about. */
export interface CameraTarget {
  /** Each camera as JSON has it, and as a line of text. */
  list(): Promise<readonly { readonly json: object; readonly text: string }[]>;
  /** Cameras as flags or a file give them, not checked yet; what became of each. */
  add(cameras: readonly unknown[]): Promise<Readonly<Record<string, string>>>;
  /** Throws ARGUMENT_INVALID, and removes none, where one is unknown. */
  remove(ids: readonly string[]): Promise<void>;
}

/** Brokers name a cluster, whose cameras are in a topic; otherwise it is the austream that runs on this machine. */
export function targetOf({ socket, brokers, prefix, config }: TargetFlags): CameraTarget {
  if ([socket, brokers, config].filter((flag) => flag !== undefined).length > 1)
    throw new AustreamError(
      'ARGUMENT_INVALID',
      'only one of --socket, --brokers and --config can say whose cameras',
    );
  if (socket !== undefined) return localTarget(socket);
  if (brokers !== undefined) return clusterTarget(kafkaOf(brokers, prefix));
  if (prefix !== undefined)
    throw new AustreamError('ARGUMENT_INVALID', '--prefix has no use without --brokers');
  if (config === undefined) return localTarget(controlSocket({})!);
  const { cluster, kafka, control } = loadConfig(config);
  if (cluster.cameras === 'topic') return clusterTarget(kafka);
  const path = controlSocket(control);
  if (path === null)
    throw new AustreamError('ARGUMENT_INVALID', `${config} says control.socket: null`, {
      fix: 'edit the cameras in the config file instead: austream follows it',
    });
  return localTarget(path);
}

function clusterTarget(kafka: KafkaOptions): CameraTarget {
  return {
    async list() {
      const cameras = await readCameras(kafka, (id, why) =>
        process.stderr.write(`austream: camera ${id} cannot be read: ${why}\n`),
      );
      return cameras.map(redactedCamera).map((camera) => ({ json: camera, text: definitionText(camera) }));
    },
    async add(given) {
      const cameras = given.map(defineCamera);
      await writeCameras(kafka, new Map(cameras.map((camera) => [camera.id, camera])));
      return Object.fromEntries(cameras.map(({ id }) => [id, 'added']));
    },
    async remove(ids) {
      const known = new Set((await readCameras(kafka, () => {})).map((camera) => camera.id));
      const unknown = ids.find((id) => !known.has(id));
      if (unknown !== undefined)
        throw new AustreamError('ARGUMENT_INVALID', `there is no camera ${unknown}`, {
          fix: 'austream cameras list shows them',
        });
      await writeCameras(kafka, new Map(ids.map((id) => [id, null])));
    },
  };
}

function localTarget(socket: string): CameraTarget {
  return {
    async list() {
      const { cameras } = await askControl(socket, { op: 'list' });
      return cameras.map((camera) => ({ json: camera, text: stateText(camera) }));
    },
    async add(given) {
      const cameras = given.map((camera) => {
        const result = cameraOptions.safeParse(camera);
        if (result.success) return resolveCamera(result.data);
        throw new AustreamError('ARGUMENT_INVALID', `not a camera: ${describeIssues(result.error)}`);
      });
      return (await askControl(socket, { op: 'add', cameras })).changes;
    },
    async remove(ids) {
      await askControl(socket, { op: 'remove', ids: [...ids] });
    },
  };
}

/** Everybody on this machine can read a command's arguments. */
export function refuseLiteral(password: string | undefined): void {
  if (password === undefined || isReference(password)) return;
  throw new AustreamError(
    'ARGUMENT_INVALID',
    '--password holds the password by value, which others can see',
    {
      fix: "refer to it, as '${NAME}' (an environment variable) or '${file:/path}'",
    },
  );
}

function kafkaOf(brokers: string, prefix: string | undefined): KafkaOptions {
  const given = { brokers: brokers.split(','), ...(prefix === undefined ? {} : { topicPrefix: prefix }) };
  const result = kafkaOptions.safeParse(given);
  if (!result.success)
    throw new AustreamError('ARGUMENT_INVALID', `--brokers or --prefix: ${result.error.issues[0]!.message}`);
  return result.data;
}

function definitionText({ id, url, username, analysisFps, transport, decoder }: CameraDefinition): string {
  const who = username === undefined ? '' : ` as ${username}`;
  return `${id}: ${url}${who}, ${analysisFps} fps, ${transport}, decoder ${decoder}`;
}

function stateText({ id, url, status }: ListedCamera): string {
  if (status === null) return `${id}: ${url}`;
  const { state, detail, fps } = status;
  return `${id}: ${state}${fps === null ? '' : ` at ${fps} fps`}, ${url}, ${detail}`;
}
