import { Socket } from 'node:net';
import { cameraRedactor, splitCredentials } from '../../camera/credentials.ts';
import { isOnvif } from '../../camera/onvif-address.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { isLive, isTls } from '../../camera/source-url.ts';
import type { DetectOptions } from '../../detect/options.ts';
import { AustreamError } from '../../errors.ts';
import { describeResolved, resolveCamera } from '../../onvif/resolve.ts';
import { REPORT_MS, type ToChild, type ToHost } from '../protocol/messages.ts';
import { encodeFaces } from '../protocol/wire.ts';
import { Camera, type Finder } from './camera.ts';
import { SendQueue } from './send-queue.ts';
import { TlsTunnel } from './tls.ts';

/** The file descriptor of the pipe that carries crops to the host. */
export const FACES_FD = 4;

/**
 * The whole life of a camera child: waits for `start`, runs the camera until it ends or fails or `stop` comes,
 * says how it went, and dies. Never restarts anything: that is the supervisor's.
 */
export function runCameraChild(openFinder: (options: DetectOptions) => Promise<Finder>): void {
  // Without its host it must not stay, whatever state it is in. SIGKILL, as here and below an ordinary exit
  // would wait for GStreamer's threads.
  process.on('disconnect', die);
  // Signals for the whole process group are the host's to answer: it stops its cameras in order.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.once('message', (message: ToChild) => {
    if (message.type !== 'start') die();
    else void live(message, openFinder);
  });
}

async function live(
  start: Extract<ToChild, { type: 'start' }>,
  openFinder: (options: DetectOptions) => Promise<Finder>,
): Promise<void> {
  const redact = cameraRedactor(start.camera);
  const fail = (error: unknown) => {
    const known = error instanceof AustreamError ? error : null;
    return send({
      type: 'failed',
      code: known?.code ?? 'CAMERA_PROCESS_DIED',
      message: redact(
        known?.message ?? (error instanceof Error ? (error.stack ?? error.message) : String(error)),
      ),
      ...(known?.fix ? { fix: redact(known.fix) } : {}),
    });
  };
  process.on('uncaughtException', (error) => void fail(error).then(die));
  process.on('unhandledRejection', (error) => void fail(error).then(die));

  let camera: Camera | null = null;
  process.on('message', (message: ToChild) => {
    if (message.type === 'taken') outbox.taken();
    else if (message.type === 'pace') camera?.pace(message.share);
    else if (message.type === 'stop') camera === null ? die() : camera.stop();
  });
  const pipe = new Socket({ fd: FACES_FD, readable: false, writable: true });
  pipe.on('error', die);
  const outbox = new SendQueue(
    (faces) => pipe.write(encodeFaces(faces)),
    () => camera?.lost('host_slow'),
  );
  const finder = await openFinder(start.detect);
  const waits = !isLive(start.camera.url);
  const source = await sourceOf(start.camera);
  let tlsError: AustreamError | null = null;
  const tunnel = isTls(source.url)
    ? await TlsTunnel.open(splitCredentials(source.url).url, source.tls, (error) => {
        tlsError = error;
      })
    : null;
  const running = new Camera({ ...start, camera: source, proxy: tunnel?.proxy }, finder, {
    connected: () => void send({ type: 'connected' }),
    epoch: (begin) => void send({ type: 'epoch', ...begin }),
    epochEnds: () => void send(report()),
    faces: (faces) => (waits ? outbox.deliver(faces) : outbox.offer(faces)),
  });
  camera = running;
  const report = (): ToHost => ({
    type: 'report',
    rss: process.memoryUsage.rss(),
    ...running.counts,
    ...running.clock,
  });
  await send({ type: 'opening' });
  const reports = setInterval(() => void send(report()), REPORT_MS);
  const error = await running.run();
  clearInterval(reports);
  await new Promise((resolve) => pipe.end(() => resolve(undefined)));
  await send(report());
  await (error === null ? send({ type: 'ended' }) : fail(tlsError ?? error));
  die();
}

/** What is to be played: of an ONVIF device the stream that it offers now, since addresses change. */
async function sourceOf(camera: CameraOptions): Promise<CameraOptions> {
  if (!isOnvif(camera.url)) return camera;
  await send({ type: 'opening' });
  const resolved = await resolveCamera(camera);
  await send({ type: 'resolved', detail: cameraRedactor(camera)(describeResolved(resolved)) });
  return resolved.camera;
}

function send(message: ToHost): Promise<void> {
  return new Promise((resolve) => {
    process.send!(message, () => resolve());
  });
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}
