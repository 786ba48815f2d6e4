import type { Box } from '../domain/face.ts';
import type { I420Image } from '../domain/frame.ts';
import { emitGraph } from '../infer/engine/onnx/graph.ts';
import { OnnxSession } from '../infer/engine/onnx/session.ts';
import { BATCH, type Parameters } from '../infer/model/ops.ts';
import { blendOverlapping, decodeDetections, type Detection, suppressDuplicates, type Region } from './detections.ts';
import { intersectionArea } from './geometry.ts';
import { blazeFace } from './nets/blazeface.ts';
import { RegionFingerprint } from './region-fingerprint.ts';
import { Sampler } from './sampler.ts';
import { packagedParameters } from './weights.ts';

/** What a region looked like when it was last searched, and what was found. */
interface CachedScan {
  readonly fingerprint: RegionFingerprint;
  readonly minScore: number;
  readonly detections: readonly Detection[];
  /** Times since that only what is followed had changed. */
  scansSkipped: number;
}

/** So many times running, what changes around faces that are followed is no reason to search. */
const MAX_SKIPPED_SCANS = 12;

/** BlazeFace on regions of I420 frames. One call at a time. */
export class FaceDetector {
  readonly #parameters: Parameters;
  readonly #sampler = new Sampler();
  /** One graph per size of region: convolutions need their sizes. */
  readonly #sessions = new Map<string, Promise<OnnxSession>>();
  readonly #cachedScans = new WeakMap<Region, CachedScan>();
  /** Regions that the network has been run on. */
  runs = 0;

  constructor() {
    this.#parameters = packagedParameters('blazeface');
  }

  /**
   * Faces in `regions` with at least `minScore`, each once, best first. A region that was searched before, and shows
   * the same picture still, gets the same answer without another run: most of what a fixed camera sees. What changes
   * within `followed`, boxes of the frame, is seldom a reason to search, and what was found there before no news.
   */
  async detect(
    image: I420Image,
    regions: readonly Region[],
    minScore: number,
    followed: readonly Box[] = [],
  ): Promise<Detection[]> {
    const found: Detection[] = [];
    for (const region of regions) found.push(...(await this.#scan(image, region, minScore, followed)));
    return suppressDuplicates(found);
  }

  async #scan(
    image: I420Image,
    region: Region,
    minScore: number,
    followed: readonly Box[],
  ): Promise<readonly Detection[]> {
    const { width, height, toFrame } = region;
    const impression = new RegionFingerprint(image, region);
    const before = this.#cachedScans.get(region);
    if (before?.minScore === minScore) {
      if (impression.matches(before.fingerprint, [])) return before.detections;
      if (before.scansSkipped < MAX_SKIPPED_SCANS && impression.matches(before.fingerprint, followed)) {
        before.scansSkipped++;
        return before.detections.filter(({ box }) => followed.every((other) => intersectionArea(other, box) === 0));
      }
    }
    const data = new Uint8Array(width * height * 3);
    this.#sampler.sample(image, toFrame, width, height, data);
    const session = await this.#session(width, height);
    this.runs++;
    const { scores, boxes } = await session.run({ pixels: { data, shape: [1, height, width, 3] } });
    const found = blendOverlapping(decodeDetections(scores!.data, boxes!.data, region, minScore));
    this.#cachedScans.set(region, { fingerprint, minScore, detections, scansSkipped: 0 });
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
