/**
 * CPU time of face detection and tracking per frame, for 640×360 and 1080p with one face: while only tracking, and with
 * each frame's share of scans for new faces. Printed as ratios to decoding one such frame (GStreamer, H.264, software)
 * and to one detector run at 256×256, all measured in this run.
 *
 *   node bench/detect.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaceDetector } from '../src/detect/detector.ts';
import { FaceFinder } from '../src/detect/finder.ts';
import { detectOptions } from '../src/detect/options.ts';
import type { I420Image } from '../src/domain/frame.ts';
import { ASTRONAUT, CAT, DEMO, decode, frame, paste } from '../test/detect/pictures.ts';

const FRAMES = 50;
const ROUNDS = 3;

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** CPU milliseconds of this process during `work`. */
async function cpuTime(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** CPU milliseconds to decode one of these images, encoded as H.264. */
function decodeTime(images: readonly I420Image[], folder: string): number {
  const { width, height } = images[0]!;
  const file = join(folder, `${width}.mp4`);
  execFileSync(
    'gst-launch-1.0',
    `-q fdsrc ! rawvideoparse format=i420 width=${width} height=${height} framerate=25/1 ! x264enc speed-preset=veryfast bitrate=4000 ! mp4mux ! filesink location=${file}`.split(
      ' ',
    ),
    { input: Buffer.concat(images.flatMap(({ y, u, v }) => [y, u, v])) },
  );
  const script = `for i in 1 2 3 4; do gst-launch-1.0 -q filesrc location=${file} ! decodebin ! fakesink sync=false; done; times`;
  const children = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n').at(-1)!;
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + 60 * +m! + +s!,
    0,
  );
  return (seconds * 1000) / 4 / images.length;
}

/** CPU milliseconds of one detector run at 256×256. */
async function detectorRun(): Promise<number> {
  const detector = new FaceDetector();
  const [image] = decode(ASTRONAUT, 512, 512);
  // A new region object each time: an unchanged region would come from the cache.
  const scan = () =>
    detector.detect(image!, [{ width: 256, height: 256, toFrame: { a: 2, b: 0, tx: 0, ty: 0 } }], 0.5);
  await scan();
  const all = await cpuTime(async () => {
    for (let i = 0; i < 30; i++) await scan();
  });
  return all / 30;
}

/** CPU milliseconds per frame after the first, and of the first, in which the whole frame is scanned. */
async function trackingTime(images: readonly I420Image[], scanSeconds: number): Promise<[number, number]> {
  const finder = await FaceFinder.open(detectOptions.parse({ scanSeconds }));
  const first: number[] = [];
  const rest: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    finder.end();
    first.push(await cpuTime(() => finder.analyse(frame(images[0]!, 0))));
    const all = await cpuTime(async () => {
      for (let i = 1; i < images.length; i++) {
        const { crops } = await finder.analyse(frame(images[i]!, i));
        if (crops.length !== 1) throw new Error(`${crops.length} faces in frame ${i}`);
      }
    });
    rest.push(all / (images.length - 1));
  }
  // The first round is warm-up.
  return [median(rest.slice(1)), median(first.slice(1))];
}

const folder = mkdtempSync(join(tmpdir(), 'austream-bench-'));
const small = decode(DEMO, 640, 360, FRAMES).slice(0, FRAMES);
const hall = decode(CAT, 1920, 1080)[0]!;
const clips: Record<string, readonly I420Image[]> = {
  '640×360, face 200 px': small,
  '1080p, face 200 px, still background': small.map((image) => paste(hall, image, 700, 300)),
  '1080p, face 600 px, still background': decode(DEMO, 1920, 1080, FRAMES).slice(0, FRAMES),
  '1080p, face 200 px, everything moves': small.map((image, i) =>
    paste(paste(hall, hall, 16 * (i % 25), 0), image, 700, 300),
  ),
};
const run = await detectorRun();
console.log(`one detector run, 256×256: ${run.toFixed(2)} ms`);
for (const [name, images] of Object.entries(clips)) {
  const decoding = decodeTime(images, folder);
  // At 10 s per scan no tile is due within the clip.
  const [tracked] = await trackingTime(images, 10);
  const [scanned, first] = await trackingTime(images, detectOptions.parse({}).scanSeconds);
  const show = (ms: number) =>
    `${ms.toFixed(2)} ms = ${(ms / decoding).toFixed(2)} × decode = ${(ms / run).toFixed(2)} × detector run`;
  console.log(`${name}: decode ${decoding.toFixed(2)} ms`);
  console.log(`  tracking only  ${show(tracked)}`);
  console.log(`  with scans     ${show(scanned)}`);
  console.log(`  first frame    ${show(first)}`);
}
rmSync(folder, { recursive: true });
