/**
 * CPU of one camera process at 1080p25 with one face, as a ratio to gst-launch-1.0 decoding the same stream to a
 * fakesink. Both run alternately for the same time, with the camera simulator running.
 *
 * On an overloaded machine a camera process analyses fewer frames. The cost of detection is therefore measured per
 * analysed frame and extrapolated to all frames.
 *
 *   node bench/ingest.ts [rounds] [seconds]
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Simulator } from '../src/simulate/simulator.ts';
import { cpuShare, measureCameraChild, NO_DETECTION_CHILD } from './camera-child.ts';

const FPS = 25;
const ROUNDS = Number(process.argv[2] ?? 2);
const SECONDS = Number(process.argv[3] ?? 20);
const clip = fileURLToPath(new URL('../models/demo/clip.mp4', import.meta.url));

async function gstLaunch(url: string): Promise<number> {
  const launch = `rtspsrc location=${url} protocols=tcp ! application/x-rtp,media=video ! decodebin ! fakesink sync=false`;
  const gst = spawn('gst-launch-1.0', ['-q', ...launch.split(' ')], { stdio: 'ignore' });
  try {
    return await cpuShare(gst.pid!, SECONDS);
  } finally {
    gst.kill('SIGKILL');
  }
}

const percent = (share: number) => `${(share * 100).toFixed(1)} % of a core`;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const simulator = await Simulator.start({ sources: [clip], size: [1920, 1080], fps: FPS });
const gstLoads: number[] = [];
const withoutDetection: number[] = [];
const children: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const gst = await gstLaunch(simulator.urls[0]!);
  const baseline = await measureCameraChild(simulator.urls[0]!, SECONDS, NO_DETECTION_CHILD);
  const { cpu: used, frames, crops } = await measureCameraChild(simulator.urls[0]!, SECONDS);
  const analysed = frames / (FPS * SECONDS);
  const extrapolated = baseline.cpu + (used - baseline.cpu) / analysed;
  gstLoads.push(gst);
  withoutDetection.push(baseline.cpu);
  children.push(extrapolated);
  console.log(
    `round ${round + 1}: gst-launch ${percent(gst)}, child without detection ${percent(baseline.cpu)}, camera process ${percent(used)} with ${crops} crops of ${frames} frames (${(100 * analysed).toFixed(0)} %), ${percent(extrapolated)} if all were analysed`,
  );
}
await simulator.stop();
const ratio = (loads: readonly number[]) => (mean(loads) / mean(gstLoads)).toFixed(2);
console.log(`child without detection / gst-launch: ${ratio(withoutDetection)}`);
console.log(`camera process / gst-launch: ${ratio(children)}`);
