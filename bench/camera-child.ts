import { fileURLToPath } from 'node:url';
import { cameraOptions } from '../src/camera/options.ts';
import { detectOptions } from '../src/detect/options.ts';
import { CameraSupervisor } from '../src/ingest/host/supervisor.ts';
import { ingestOptions } from '../src/ingest/options.ts';
import { processorSeconds } from './processor-time.ts';

const SETTLE_SECONDS = 4;
/** A child that decodes and hands frames on, and looks for nothing. */
export const BLIND = fileURLToPath(new URL('ingest-blind.ts', import.meta.url));

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Share of one core that a process takes over `seconds`, which `begins` once it has settled. */
export async function load(
  pid: number,
  seconds: number,
  begins: () => void | Promise<void> = () => {},
): Promise<number> {
  await sleep(SETTLE_SECONDS);
  await begins();
  const before = processorSeconds(pid);
  await sleep(seconds);
  return (processorSeconds(pid) - before) / seconds;
}

/** A camera's child (or another program in its place) on a stream: its load, frames analysed, crops of faces. */
export async function cameraChild(
  url: string,
  seconds: number,
  entry?: string,
): Promise<{ load: number; frames: number; crops: number }> {
  const counted = { frames: 0, crops: 0 };
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
        counted.frames += 1;
        counted.crops += faces.crops.length;
      },
      epochEnded: () => {},
      status: () => {},
    },
  );
  camera.start();
  await ready.promise;
  const used = await load(camera.pid!, seconds, () => {
    Object.assign(counted, { frames: 0, crops: 0 });
  });
  const { frames, crops } = counted;
  await camera.stop();
  return { load: used, frames, crops };
}
