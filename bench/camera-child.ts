import { fileURLToPath } from 'node:url';
import { cameraOptions } from '../src/camera/options.ts';
import { detectOptions } from '../src/detect/options.ts';
import { CameraSupervisor } from '../src/ingest/host/supervisor.ts';
import { ingestOptions } from '../src/ingest/options.ts';
import { cpuSeconds } from './cpu-time.ts';

/** Start-up time that is not measured. */
const SETTLE_SECONDS = 4;
/** Entry file of a camera process that decodes and sends frames but runs no face detection. */
export const NO_DETECTION_CHILD = fileURLToPath(new URL('ingest-without-detection.ts', import.meta.url));

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** CPU share of a process (1: one core) over `seconds`, after a settling time. `onStart` runs when measuring begins. */
export async function cpuShare(
  pid: number,
  seconds: number,
  onStart: () => void | Promise<void> = () => {},
): Promise<number> {
  await sleep(SETTLE_SECONDS);
  await onStart();
  const before = cpuSeconds(pid);
  await sleep(seconds);
  return (cpuSeconds(pid) - before) / seconds;
}

/** Runs a camera process (`entry`: another entry file) on a stream: its CPU share, analysed frames and face crops. */
export async function measureCameraChild(
  url: string,
  seconds: number,
  entry?: string,
): Promise<{ cpu: number; frames: number; crops: number }> {
  const counts = { frames: 0, crops: 0 };
  const ready = Promise.withResolvers<void>();
  const camera = new CameraSupervisor(
    cameraOptions.parse({ id: 'bench', url }),
    {
      ingest: ingestOptions.parse({}),
      detect: detectOptions.parse({}),
      ...(entry === undefined ? {} : { entry }),
    },
    {
      faces: (faces) => {
        ready.resolve();
        counts.frames += 1;
        counts.crops += faces.crops.length;
      },
      epochEnded: () => {},
      status: () => {},
    },
  );
  camera.start();
  await ready.promise;
  const cpu = await cpuShare(camera.pid!, seconds, () => {
    Object.assign(counts, { frames: 0, crops: 0 });
  });
  const { frames, crops } = counts;
  await camera.stop();
  return { cpu, frames, crops };
}
