import { accessSync, constants, existsSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import kafkajs from 'kafkajs';
import { cameraRedactor, splitCredentials } from '../camera/credentials.ts';
import { isOnvif } from '../camera/onvif-address.ts';
import type { CameraOptions } from '../camera/options.ts';
import { withPassword } from '../camera/secrets.ts';
import type { Config } from '../config/schema.ts';
import type { AustreamError } from '../errors.ts';
import { kafkajsConnection } from '../kafka/connection.ts';
import { toAustreamError } from '../kafka/kafkajs-errors.ts';
import { describeResolved, resolveCamera } from '../onvif/resolve.ts';
import { topicNames } from '../records/topics.ts';
import type { Check, Finding } from './host-checks.ts';

const PATIENCE_MS = 3_000;
const RTSP_PORTS: Readonly<Record<string, number>> = { 'rtsp:': 554, 'rtsps:': 322 };

/** What a config needs beside the machine: brokers, cameras, a folder for the spool. */
export function configChecks(config: Config): Check[] {
  return [
    () => kafka(config),
    ...(config.kafka.spool ? [() => spool(config.kafka.spool!.dir)] : []),
    ...config.cameras.map((camera) => () => (isOnvif(camera.url) ? device(camera) : reachable(camera))),
  ];
}

async function kafka({ kafka: options }: Config): Promise<Finding> {
  const name = 'Kafka';
  if (options.embedded) return { name, state: 'ok', detail: 'embedded in austream run' };
  const connection = kafkajsConnection(options);
  const client = new kafkajs.Kafka({
    ...connection,
    connectionTimeout: PATIENCE_MS,
    retry: { retries: 1 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = client.admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    const there = new Set(await admin.listTopics());
    const names = topicNames(options.topicPrefix);
    const absent = [names.AuFrame, names.AuActivation, names.CameraStatus].filter(
      (topic) => !there.has(topic),
    );
    const topics = absent.length === 0 ? 'all topics exist' : `no topic ${absent.join(', ')} yet`;
    return { name, state: 'ok', detail: `${brokers.length} broker(s); ${topics}` };
  } catch (error) {
    const { message, fix } = toAustreamError(error, options.brokers ?? []);
    return { name, state: 'missing', detail: message, ...(fix ? { fix } : {}) };
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

async function spool(folder: string): Promise<Finding> {
  const name = 'spool';
  try {
    accessSync(existsSync(folder) ? folder : dirname(folder), constants.W_OK);
    return { name, state: 'ok', detail: `${folder} can be written` };
  } catch {
    return {
      name,
      state: 'missing',
      detail: `${folder} cannot be written`,
      fix: 'create it for the user that runs austream',
    };
  }
}

/** What an ONVIF device offers, and whether its stream is there. */
async function device(camera: CameraOptions): Promise<Finding> {
  try {
    const resolved = await resolveCamera(withPassword(camera));
    const stream = await reachable(resolved.camera);
    return { ...stream, detail: cameraRedactor(camera)(`${describeResolved(resolved)}; ${stream.detail}`) };
  } catch (error) {
    const { message, fix } = error as AustreamError;
    return { name: `camera ${camera.id}`, state: 'missing', detail: message, ...(fix ? { fix } : {}) };
  }
}

/** Whether somebody listens where the camera should be; never shows credentials. */
async function reachable(camera: CameraOptions): Promise<Finding> {
  const name = `camera ${camera.id}`;
  // Passwords in URLs may hold what URLs may not.
  const url = new URL(splitCredentials(camera.url).url);
  const port = RTSP_PORTS[url.protocol];
  if (port === undefined) {
    const path = decodeURIComponent(url.pathname);
    return existsSync(path)
      ? { name, state: 'ok', detail: path }
      : { name, state: 'missing', detail: `no ${path} here`, fix: 'check the path in its url' };
  }
  const at = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || port) };
  const problem = await new Promise<string | null>((resolve) => {
    const socket = connect({ ...at, timeout: PATIENCE_MS });
    const end = (result: string | null) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end(null));
    socket.once('timeout', () => end('does not answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
  if (problem === null) return { name, state: 'ok', detail: `${at.host}:${at.port} answers` };
  return {
    name,
    state: 'missing',
    detail: `${at.host}:${at.port}: ${problem}`,
    fix: 'check host and port in its url, the network between, and that the camera is on',
  };
}
