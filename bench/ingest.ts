/**
 * CPU of one camera child at 1080p25 with one face, as a ratio to gst-launch-1.0 decoding the same stream to a
 * fakesink. Both run for the same time, one after the other, in turns; the camera simulator runs beside both.
 *
 * A camera child on an overloaded machine analyses fewer frames, so what detection costs is counted by the frames that
 * were analysed, and told for a stream whose every frame is.
 *
 *   node bench/ingest.ts [rounds] [seconds]
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { detectOptions } from '../src/detect/options.ts';
import { cameraOptions, ingestOptions } from '../src/ingest/options.ts';
import { CameraSupervisor } from '../src/ingest/supervisor.ts';
import { Simulator } from '../src/simulate/simulator.ts';

const FPS = 25;
const ROUNDS = Number(process.argv[2] ?? 2);
const SECONDS = Number(process.argv[3] ?? 20);
const SETTLE_SECONDS = 4;
/** sysconf(_SC_CLK_TCK) of every Linux. */
const TICKS = 100;
const clip = fileURLToPath(new URL('../models/demo/clip.mp4', import.meta.url));

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** User and system seconds of a process so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Share of one core over the measured time, which `begins` once the process has settled. */
async function load(pid: number, begins: () => void = () => {}): Promise<number> {
  await sleep(SETTLE_SECONDS);
  begins();
  const before = cpuSeconds(pid);
  await sleep(SECONDS);
  return (cpuSeconds(pid) - before) / SECONDS;
}

async function bare(url: string): Promise<number> {
  const launch = `rtspsrc location=${url} protocols=tcp ! application/x-rtp,media=video ! decodebin ! fakesink sync=false`;
  const gst = spawn('gst-launch-1.0', ['-q', ...launch.split(' ')], { stdio: 'ignore' });
  try {
    return await load(gst.pid!);
  } finally {
    gst.kill('SIGKILL');
  }
}

async function child(url: string, entry?: string): Promise<{ load: number; frames: number; crops: number }> {
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
  const used = await load(camera.pid!, () => Object.assign(counted, { frames: 0, crops: 0 }));
  const { frames, crops } = counted;
  await camera.stop();
  return { load: used, frames, crops };
}

const percent = (share: number) => `${(share * 100).toFixed(1)} % of a core`;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const simulator = await Simulator.start({ sources: [clip], size: [1920, 1080], fps: FPS });
const bares: number[] = [];
const blinds: number[] = [];
const children: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const gst = await bare(simulator.urls[0]!);
  const blind = await child(simulator.urls[0]!, fileURLToPath(new URL('ingest-blind.ts', import.meta.url)));
  const { load: used, frames, crops } = await child(simulator.urls[0]!);
  const analysed = frames / (FPS * SECONDS);
  const whole = blind.load + (used - blind.load) / analysed;
  bares.push(gst);
  blinds.push(blind.load);
  children.push(whole);
  console.log(
    `round ${round + 1}: gst-launch ${percent(gst)}, child without detection ${percent(blind.load)}, camera child ${percent(used)} with ${crops} crops of ${frames} frames (${(100 * analysed).toFixed(0)} %), ${percent(whole)} with all`,
  );
}
await simulator.stop();
const ratio = (loads: readonly number[]) => (mean(loads) / mean(bares)).toFixed(2);
console.log(`child without detection / gst-launch: ${ratio(blinds)}`);
console.log(`camera child / gst-launch: ${ratio(children)}`);
