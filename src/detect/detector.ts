import type { Box, FaceKeypoints, I420Image, Point } from '../domain.ts';
import { emitGraph } from '../infer/engine/onnx/graph.ts';
import { OnnxSession } from '../infer/engine/onnx/session.ts';
import { ANCHOR_GRIDS, ANCHOR_VALUES, blazeFace } from '../infer/model/blazeface.ts';
import { BATCH, type Parameters } from '../infer/model/ops.ts';
import { iou, mapPoint, overlapOf, type Similarity } from './geometry.ts';
import { Sampler } from './sampling.ts';
import { packagedParameters } from './weights.ts';

/** A part of a frame as the detector looks at it. */
export interface Region {
  /** Pixels of the detector's input, multiples of 32. */
  readonly width: number;
  readonly height: number;
  /** From them to the frame. */
  readonly toFrame: Similarity;
}

export interface Detection {
  /** 0…1. */
  readonly score: number;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
}

/** Detections of one region that overlap more than this are one face. */
const SAME_FACE_IOU = 0.3;
/** One box that lies in another by this part of its area is the same face too. */
const SAME_FACE_PART = 0.6;

/** Edge of the blocks, in detector pixels, whose means tell whether a region changed; smaller than any face. */
const BLOCK = 8;
/** A change of a block's mean that is more than noise, of 255. */
const CHANGE = 4;

/** What a region looked like when it was last searched, and what was found. */
interface Look {
  readonly blocks: Uint8Array;
  readonly minScore: number;
  readonly found: readonly Detection[];
}

/** BlazeFace on regions of I420 frames. One call at a time. */
export class FaceDetector {
  readonly #parameters: Parameters;
  readonly #sampler = new Sampler();
  /** One graph per size of region: convolutions need their sizes. */
  readonly #sessions = new Map<string, Promise<OnnxSession>>();
  readonly #looks = new WeakMap<Region, Look>();
  /** Regions that the network has been run on. */
  runs = 0;

  constructor() {
    this.#parameters = packagedParameters('blazeface');
  }

  /**
   * Faces in `regions` with at least `minScore`, each once, best first. A region that was searched before, and shows
   * the same picture still, gets the same answer without another run: most of what a fixed camera sees.
   */
  async detect(image: I420Image, regions: readonly Region[], minScore: number): Promise<Detection[]> {
    const found: Detection[] = [];
    for (const region of regions) found.push(...(await this.#look(image, region, minScore)));
    return distinct(found);
  }

  async #look(image: I420Image, region: Region, minScore: number): Promise<readonly Detection[]> {
    const { width, height, toFrame } = region;
    const data = new Uint8Array(width * height * 3);
    this.#sampler.draw(image, toFrame, width, height, data);
    const blocks = blockMeans(data, width, height);
    const before = this.#looks.get(region);
    if (before?.minScore === minScore && unchanged(before.blocks, blocks)) return before.found;
    const session = await this.#session(width, height);
    this.runs++;
    const { scores, boxes } = await session.run({ pixels: { data, shape: [1, height, width, 3] } });
    const found = blended(candidates(scores!.data, boxes!.data, region, minScore));
    this.#looks.set(region, { blocks, minScore, found });
    return found;
  }

  #session(width: number, height: number): Promise<OnnxSession> {
    const key = `${width}x${height}`;
    let session = this.#sessions.get(key);
    if (!session) {
      const graph = emitGraph(
        {
          name: 'blazeface',
          inputs: { pixels: { element: 'uint8', shape: [BATCH, height, width, 3] } },
          parameters: this.#parameters,
        },
        (ops, { pixels }) => ({ ...blazeFace(ops, pixels) }),
      );
      // Many cameras share a machine, each with its own process: one thread each.
      session = OnnxSession.open(graph, { threads: 1 });
      this.#sessions.set(key, session);
    }
    return session;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).close();
    this.#sessions.clear();
  }
}

/** Mean green of each block. */
function blockMeans(pixels: Uint8Array, width: number, height: number): Uint8Array {
  const columns = width / BLOCK;
  const sums = new Uint32Array(columns * (height / BLOCK));
  for (let y = 0, at = 1; y < height; y++) {
    const row = Math.floor(y / BLOCK) * columns;
    for (let column = row; column < row + columns; column++) {
      let sum = 0;
      for (const end = at + 3 * BLOCK; at < end; at += 3) sum += pixels[at]!;
      sums[column] = sums[column]! + sum;
    }
  }
  return Uint8Array.from(sums, (sum) => sum / BLOCK ** 2 + 0.5);
}

function unchanged(before: Uint8Array, now: Uint8Array): boolean {
  return before.every((mean, i) => Math.abs(mean - now[i]!) < CHANGE);
}

/** Anchors whose score suffices, decoded into frame coordinates, best first. */
function candidates(
  logits: Float32Array,
  values: Float32Array,
  region: Region,
  minScore: number,
): Detection[] {
  const least = Math.log(minScore / (1 - minScore));
  const found: Detection[] = [];
  let anchor = 0;
  for (const { stride, perCell } of ANCHOR_GRIDS) {
    const columns = region.width / stride;
    const cells = columns * (region.height / stride);
    for (let i = 0; i < cells * perCell; i++, anchor++) {
      if (logits[anchor]! < least) continue;
      const cell = Math.floor(i / perCell);
      const x = ((cell % columns) + 0.5) * stride;
      const y = (Math.floor(cell / columns) + 0.5) * stride;
      found.push(decode(logits[anchor]!, values, anchor * ANCHOR_VALUES, { x, y }, region.toFrame));
    }
  }
  return found.sort((a, b) => b.score - a.score);
}

function decode(
  logit: number,
  values: Float32Array,
  at: number,
  anchor: Point,
  toFrame: Similarity,
): Detection {
  const point = (i: number) =>
    mapPoint(toFrame, { x: anchor.x + values[at + i]!, y: anchor.y + values[at + i + 1]! });
  const scale = Math.hypot(toFrame.a, toFrame.b);
  const centre = point(0);
  const [w, h] = [values[at + 2]! * scale, values[at + 3]! * scale];
  return {
    score: 1 / (1 + Math.exp(-logit)),
    box: { x: centre.x - w / 2, y: centre.y - h / 2, w, h },
    keypoints: {
      rightEye: point(4),
      leftEye: point(6),
      nose: point(8),
      mouth: point(10),
      rightEar: point(12),
      leftEar: point(14),
    },
  };
}

/** Overlapping answers of one look become their mean, weighted by score: steadier than the best one alone. */
function blended(sorted: readonly Detection[]): Detection[] {
  const faces: Detection[] = [];
  let rest = sorted;
  while (rest.length > 0) {
    const best = rest[0]!;
    const group = rest.filter((other) => iou(best.box, other.box) > SAME_FACE_IOU || other === best);
    rest = rest.filter((other) => !group.includes(other));
    const total = group.reduce((sum, { score }) => sum + score, 0);
    const mean = (of: (detection: Detection) => number) =>
      group.reduce((sum, detection) => sum + of(detection) * detection.score, 0) / total;
    const point = (name: keyof FaceKeypoints) => ({
      x: mean(({ keypoints }) => keypoints[name].x),
      y: mean(({ keypoints }) => keypoints[name].y),
    });
    faces.push({
      score: best.score,
      box: {
        x: mean(({ box }) => box.x),
        y: mean(({ box }) => box.y),
        w: mean(({ box }) => box.w),
        h: mean(({ box }) => box.h),
      },
      keypoints: {
        rightEye: point('rightEye'),
        leftEye: point('leftEye'),
        nose: point('nose'),
        mouth: point('mouth'),
        rightEar: point('rightEar'),
        leftEar: point('leftEar'),
      },
    });
  }
  return faces;
}

/** Each face once though several regions saw it. */
function distinct(detections: Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of detections.sort((a, b) => b.score - a.score))
    if (!kept.some((other) => sameFace(other.box, detection.box))) kept.push(detection);
  return kept;
}

/** Whether two boxes can only be of one face. */
export function sameFace(a: Box, b: Box): boolean {
  return iou(a, b) > SAME_FACE_IOU || overlapOf(a, b) > SAME_FACE_PART * Math.min(a.w * a.h, b.w * b.h);
}
