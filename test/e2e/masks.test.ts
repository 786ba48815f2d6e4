import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { Austream, type JsonLine, Scratch } from './austream.ts';
import { faceFrames, shiftFrame, sideBySide, writeClip } from './clips.ts';

const rectangle = (left: number, right: number) => [
  [left, 0],
  [right, 0],
  [right, 1],
  [left, 1],
];
const centreX = ({ box }: JsonLine) => box.x + box.w / 2;

let scratch: Scratch;
let cameras: Simulator;
beforeAll(async () => {
  scratch = new Scratch();
  const faces = faceFrames(75);
  // The face stands in the middle of its 640 pixels; here it walks 240 pixels to the left and back.
  const walking = faces.map((face, i) => shiftFrame(face, -4 * Math.min(60, 75 - i, 2 * i)));
  cameras = await Simulator.start({
    sources: [
      writeClip(
        scratch.path,
        'two.mp4',
        faces.map((face) => sideBySide(face, face)),
      ),
      writeClip(scratch.path, 'walking.mp4', walking),
    ],
    cameras: 2,
  });
});
afterAll(async () => {
  await cameras?.stop();
  scratch?.[Symbol.dispose]();
});

/** Runs austream on one camera until `frames` events have arrived; returns everything that is on its topics. */
async function events(camera: object, frames: number): Promise<{ lines: JsonLine[]; statuses: JsonLine[] }> {
  const config = scratch.file('austream.yaml', {
    cameras: [{ id: 'a', ...camera }],
    kafka: { embedded: true },
  });
  await using run = new Austream(['run', '-c', config, '--json']);
  await run.untilLine(() => run.linesOfType('frame').length >= frames);
  const { brokers } = JSON.parse(run.stderr.split('\n').find((line) => line.includes('"running: '))!);
  await using tail = new Austream(['tail', '--brokers', brokers, '--from-beginning', '--json']);
  await tail.untilLine(() => tail.linesOfType('frame').length >= frames);
  return { lines: tail.lines, statuses: run.linesOfType('camera') };
}

describe('a simulated camera with two faces', () => {
  it('gives no event of the face in the mask, and the other face names its zones on the topics', async () => {
    const zones = [
      { id: 'everywhere', polygon: rectangle(0, 1) },
      { id: 'right', polygon: rectangle(0.5, 1) },
      { id: 'left', polygon: rectangle(0, 0.5) },
    ];
    const detect = { masks: [rectangle(0, 0.5)], zones };
    const { lines } = await events({ url: cameras.urls[0], detect }, 60);
    const frames = lines.filter((line) => line.type === 'frame');
    expect(frames.length).toBeGreaterThan(40);
    for (const frame of frames) {
      expect(centreX(frame)).toBeGreaterThan(640);
      expect(frame.zones).toEqual(['everywhere', 'right']);
    }
    const activations = lines.filter((line) => line.type === 'activation');
    for (const activation of activations) expect(activation.zones).toEqual(['everywhere', 'right']);
  });

  it('gives events of both without a mask, so that the mask is what keeps one out', async () => {
    const { lines } = await events({ url: cameras.urls[0] }, 60);
    const frames = lines.filter((line) => line.type === 'frame');
    expect(frames.some((frame) => centreX(frame) < 640)).toBe(true);
    expect(frames.some((frame) => centreX(frame) > 640)).toBe(true);
    for (const frame of frames) expect(frame.zones).toEqual([]);
  });
});

it('a face that walks into a mask gives no event there, and comes out as a new track', async () => {
  const mask = rectangle(0, 0.35);
  const { lines } = await events({ url: cameras.urls[1], detect: { masks: [mask] } }, 120);
  const frames = lines.filter((line) => line.type === 'frame');
  for (const frame of frames) expect(centreX(frame)).toBeGreaterThan(0.35 * 640);
  const tracks = new Set(frames.map((frame) => `${frame.epoch}/${frame.trackId}`));
  const epochs = new Set(frames.map((frame) => frame.epoch));
  expect(tracks.size).toBeGreaterThan(epochs.size);
});
