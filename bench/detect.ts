/**
 * What finding faces costs a frame, in processor time: 640×360 and 1080p with one face, frames in which only the face
 * is followed and frames with their share of the search for new ones; as ratios to decoding one such frame (GStreamer,
 * H.264, software) and to one run of the detector at 256×256, all within this run.
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

/** Processor milliseconds of this process. */
async function cost(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Processor milliseconds of decoding one frame of these, encoded as H.264. */
function decodeCost(images: readonly I420Image[], folder: string): number {
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

async function detectorRun(): Promise<number> {
  const detector = new FaceDetector();
  const [image] = decode(ASTRONAUT, 512, 512);
  // A new region each time: one that did not change would not be searched again.
  const look = () =>
    detector.detect(image!, [{ width: 256, height: 256, toFrame: { a: 2, b: 0, tx: 0, ty: 0 } }], 0.5);
  await look();
  const all = await cost(async () => {
    for (let i = 0; i < 30; i++) await look();
  });
  await detector.close();
  return all / 30;
}

/** Milliseconds a frame after the first, and of the first, which is searched wholly. */
async function finding(images: readonly I420Image[], scanSeconds: number): Promise<[number, number]> {
  const finder = await FaceFinder.open(detectOptions.parse({ scanSeconds }));
  const first: number[] = [];
  const rest: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    finder.end();
    first.push(await cost(() => finder.analyse(frame(images[0]!, 0))));
    const all = await cost(async () => {
      for (let i = 1; i < images.length; i++) {
        const { crops } = await finder.analyse(frame(images[i]!, i));
        if (crops.length !== 1) throw new Error(`${crops.length} faces in frame ${i}`);
      }
    });
    rest.push(all / (images.length - 1));
  }
  await finder.close();
  // The first round warms the code up.
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
  const decoding = decodeCost(images, folder);
  // No part of the frame is due within the clip at 10 s a scan.
  const [followed] = await finding(images, 10);
  const [searched, first] = await finding(images, detectOptions.parse({}).scanSeconds);
  const show = (ms: number) =>
    `${ms.toFixed(2)} ms = ${(ms / decoding).toFixed(2)} × decode = ${(ms / run).toFixed(2)} × detector run`;
  console.log(`${name}: decode ${decoding.toFixed(2)} ms`);
  console.log(`  face followed            ${show(followed)}`);
  console.log(`  and new faces looked for ${show(searched)}`);
  console.log(`  first frame              ${show(first)}`);
}
rmSync(folder, { recursive: true });
