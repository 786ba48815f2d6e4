import { Socket } from 'node:net';
import { type AddressRule, allowedAddress } from '../../camera/address-list.ts';
import { type CameraAreas, NO_AREAS } from '../../camera/areas.ts';
import { hostOf } from '../../camera/credentials.ts';
import { isOnvif } from '../../camera/onvif-address.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { cameraRedactor } from '../../camera/redaction.ts';
import { isLiveSource, isRtsp, isTls } from '../../camera/source-url.ts';
import type { DetectOptions } from '../../detect/options.ts';
import { AustreamError } from '../../errors.ts';
import { describeResolved, resolveCamera } from '../../onvif/resolve.ts';
import { makeUndumpable } from '../../sandbox/support.ts';
import { FACES_FD, REPORT_MS, type ToChild, type ToHost } from '../protocol/messages.ts';
import { encodeFaces } from '../protocol/wire.ts';
import { Camera, type Finder } from './camera.ts';
import { HostChannel } from './host-channel.ts';
import { openRtspProxy } from './rtsp/proxy.ts';
import { SendQueue } from './send-queue.ts';

/** A message of GStreamer may quote what the camera sent. */
const MAX_MESSAGE_LENGTH = 4_000;
/** Longest wait for the host to read the last message. */
const LAST_MESSAGE_MS = 10_000;

type Start = Extract<ToChild, { type: 'start' }>;
type OpenFinder = (options: DetectOptions, areas: CameraAreas) => Promise<Finder>;

/**
 * The life of a camera process: waits for `start`, runs the camera until it ends, fails or is stopped, reports the
 * result, and exits. It never restarts anything: the supervisor does.
 */
export function runCameraChild(openFinder: OpenFinder): void {
  // Without its host the child must end, whatever it is doing. SIGKILL, because an ordinary exit would wait for
  // GStreamer's threads.
  const host = new HostChannel(die);
  // A signal to the whole process group is handled by the host, which stops its cameras in order.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  host.onMessage((message) => {
    if (message.type !== 'start') die();
    else void runCamera(message, openFinder, host);
  });
}

async function runCamera(start: Start, openFinder: OpenFinder, host: HostChannel): Promise<void> {
  const redact = cameraRedactor(start.camera);
  const send = (message: ToHost) => host.send(message);
  // The host ends the channel when it has read the last message, and then this process dies. If it died first, a write
  // of the host could fail, and Node would discard what the host has not read.
  const finish = async (message: ToHost) => {
    await send(message);
    setTimeout(die, LAST_MESSAGE_MS);
  };
  const fail = (error: unknown) => finish(failedMessage(error, redact));
  process.on('uncaughtException', (error) => void fail(error));
  process.on('unhandledRejection', (error) => void fail(error));

  let camera: Camera | null = null;
  host.onMessage((message) => {
    if (message.type === 'acknowledged') sendQueue.acknowledged();
    else if (message.type === 'throttle') camera?.throttle(message.share);
    else if (message.type === 'stop') camera === null ? die() : camera.stop();
  });
  const pipe = new Socket({ fd: FACES_FD, readable: false, writable: true });
  pipe.on('error', die);
  const sendQueue = new SendQueue(
    (faces) => pipe.write(encodeFaces(faces)),
    () => camera?.drop('host_slow'),
  );
  const finder = await openFinder(start.detect, start.camera.detect ?? NO_AREAS);
  const live = isLiveSource(start.camera.url);
  const source = await resolveSource(await atAllowedAddress(start.camera, start.addressRules), send);
  let proxyError: AustreamError | null = null;
  let warned = false;
  const proxy = isRtsp(source.url)
    ? await openRtspProxy(source, start.listenerFd, {
        failed: (error) => {
          proxyError ??= error;
        },
        sendsPassword: () => {
          if (!warned) void send({ type: 'warning', warning: 'password_unencrypted' });
          warned = true;
        },
      })
    : null;
  const running = new Camera({ ...start, camera: source, proxy }, finder, {
    connected: () => void send({ type: 'connected' }),
    epoch: (epochStart) => void send({ type: 'epoch', ...epochStart }),
    epochEnds: () => void send(report()),
    faces: (faces) => (live ? sendQueue.offer(faces) : sendQueue.send(faces)),
  });
  camera = running;
  // After GStreamer has read its registry, which it may open through /proc/self/fd.
  makeUndumpable();
  const report = (): ToHost => ({
    type: 'report',
    rss: process.memoryUsage.rss(),
    ...running.counts,
    ...running.clock,
  });
  await send({ type: 'opening' });
  const reportTimer = setInterval(() => void send(report()), REPORT_MS);
  const error = await running.run();
  clearInterval(reportTimer);
  await new Promise((resolve) => pipe.end(() => resolve(undefined)));
  await send(report());
  await (error === null ? finish({ type: 'ended' }) : fail(proxyError ?? error));
}

function failedMessage(error: unknown, redact: (text: string) => string): ToHost {
  const known = error instanceof AustreamError ? error : null;
  return {
    type: 'failed',
    code: known?.code ?? 'CAMERA_PROCESS_DIED',
    message: redact(
      known?.message ?? (error instanceof Error ? (error.stack ?? error.message) : String(error)),
    ).slice(0, MAX_MESSAGE_LENGTH),
    ...(known?.fix ? { fix: redact(known.fix) } : {}),
  };
}

/**
 * The camera with its host replaced by the address that was checked. `rtsps://` keeps the name, which its certificate is
 * checked against. Throws CAMERA_NOT_ALLOWED.
 */
async function atAllowedAddress(
  camera: CameraOptions,
  rules: readonly AddressRule[],
): Promise<CameraOptions> {
  if (rules.length === 0) return camera;
  const url = hostOf(camera.url);
  if (url === null)
    throw new AustreamError('CAMERA_NOT_ALLOWED', 'the host of the url is not clear', {
      fix: 'write it as rtsp://host:port/path, with # in the path as %23',
    });
  const address = await allowedAddress(url.host, rules);
  return isTls(camera.url) ? camera : { ...camera, url: url.replace(address) };
}

/** An ONVIF device is asked for its stream URL before each connection, because it may change. */
async function resolveSource(
  camera: CameraOptions,
  send: (message: ToHost) => Promise<void>,
): Promise<CameraOptions> {
  if (!isOnvif(camera.url)) return camera;
  await send({ type: 'opening' });
  const resolved = await resolveCamera(camera);
  await send({ type: 'resolved', detail: cameraRedactor(camera)(describeResolved(resolved)) });
  return resolved.camera;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}
