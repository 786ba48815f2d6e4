import type { I420Image } from '../domain.ts';
import { emitGraph } from '../infer/engine/onnx/graph.ts';
import { OnnxSession } from '../infer/engine/onnx/session.ts';
import { blazeFace } from '../infer/model/blazeface.ts';
import { BATCH, type Parameters } from '../infer/model/ops.ts';
import { blended, candidates, type Detection, distinct, type Region } from './detections.ts';
import { Sampler } from './sampling.ts';
import { packagedParameters } from './weights.ts';

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
