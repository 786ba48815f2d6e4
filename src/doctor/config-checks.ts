import { accessSync, constants, existsSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { NOTHING_ALLOWED } from '../camera/allow-list.ts';
import { splitCredentials } from '../camera/credentials.ts';
import { isOnvif } from '../camera/onvif-address.ts';
import type { CameraOptions } from '../camera/options.ts';
import { cameraRedactor } from '../camera/redaction.ts';
import { resolveCamera } from '../camera/resolve.ts';
import type { KafkaCommand } from '../cluster/rights.ts';
import type { Config } from '../config/schema.ts';
import { configWarnings } from '../config/warnings.ts';
import type { AustreamError } from '../errors.ts';
import { describeResolved, resolveCamera as resolveStream } from '../onvif/resolve.ts';
import type { Check, Finding } from './host-checks.ts';
import { checkBrokers, checkCommandRights } from './kafka-checks.ts';
import { checkRegistry } from './registry-check.ts';

const TIMEOUT_MS = 3_000;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'rtsp:': 554, 'rtsps:': 322 };

/** Checks of what a config refers to: Kafka brokers, the schema registry, the spool folder, cameras. */
export function configChecks(config: Config, file: string, commands: readonly KafkaCommand[]): Check[] {
  const { embedded, registry } = config.kafka;
  return [
    ...securityChecks(config, file),
    () => checkBrokers(config),
    ...(embedded ? [] : commands.map((command) => () => checkCommandRights(config, command))),
    ...(registry ? [() => checkRegistry(registry, config.kafka)] : []),
    ...(config.kafka.spool ? [() => checkSpool(config.kafka.spool!.dir)] : []),
    ...config.cameras.map(
      (camera) => () => (isOnvif(camera.url) ? checkOnvifCamera(camera) : checkReachable(camera)),
    ),
  ];
}

/** One finding for each warning of `austream check`; they do not make doctor fail. */
function securityChecks(config: Config, file: string): Check[] {
  const name = 'security';
  const warnings = configWarnings(config, file);
  if (warnings.length === 0)
    return [
      async () => ({ name, state: 'ok', detail: 'no secret of the config is sent or stored in the clear' }),
    ];
  return warnings.map(({ path, message, fix }) => async () => ({
    name,
    state: 'note',
    detail: `${path} ${message}`,
    fix,
  }));
}

async function checkSpool(folder: string): Promise<Finding> {
  const name = 'spool';
  try {
    accessSync(existsSync(folder) ? folder : dirname(folder), constants.W_OK);
    return { name, state: 'ok', detail: `${folder} is writable` };
  } catch {
    return {
      name,
      state: 'missing',
      detail: `${folder} is not writable`,
      fix: 'create it, writable for the user that runs austream',
    };
  }
}

/** Resolves the stream of an ONVIF device and checks that it is reachable. */
async function checkOnvifCamera(camera: CameraOptions): Promise<Finding> {
  try {
    const resolved = await resolveStream(resolveCamera(camera, 'config', NOTHING_ALLOWED).camera);
    const stream = await checkReachable(resolved.camera);
    return { ...stream, detail: cameraRedactor(camera)(`${describeResolved(resolved)}; ${stream.detail}`) };
  } catch (error) {
    const { message, fix } = error as AustreamError;
    return { name: `camera ${camera.id}`, state: 'missing', detail: message, ...(fix ? { fix } : {}) };
  }
}

/** Checks that the camera's host accepts TCP connections, or that its file exists. Credentials are never shown. */
async function checkReachable(camera: CameraOptions): Promise<Finding> {
  const name = `camera ${camera.id}`;
  // Credentials are removed first: passwords may contain characters that `URL` rejects.
  const url = new URL(splitCredentials(camera.url).url);
  const port = DEFAULT_PORTS[url.protocol];
  if (port === undefined) {
    const path = decodeURIComponent(url.pathname);
    return existsSync(path)
      ? { name, state: 'ok', detail: path }
      : { name, state: 'missing', detail: `no such file: ${path}`, fix: 'check the path in its url' };
  }
  const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || port) };
  const failure = await new Promise<string | null>((resolve) => {
    const socket = connect({ ...address, timeout: TIMEOUT_MS });
    const finish = (result: string | null) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => finish(null));
    socket.once('timeout', () => finish('does not answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  });
  if (failure === null) return { name, state: 'ok', detail: `${address.host}:${address.port} answers` };
  return {
    name,
    state: 'missing',
    detail: `${address.host}:${address.port}: ${failure}`,
    fix: 'check host and port in its url, the network, and that the camera is on',
  };
}
