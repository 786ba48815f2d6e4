import type { Box } from '../domain/face.ts';
import type { I420Image } from '../domain/frame.ts';
import { emitGraph } from '../infer/engine/onnx/emit-graph.ts';
import { OnnxSession } from '../infer/engine/onnx/session.ts';
import { BATCH, type Parameters } from '../infer/model/ops.ts';
import {
  blendOverlapping,
  type Detection,
  decodeDetections,
  type Region,
  suppressDuplicates,
} from './detections.ts';
import { intersectionArea } from './geometry.ts';
import { blazeFace } from './nets/blazeface.ts';
import { RegionFingerprint } from './region-fingerprint.ts';
import { Sampler } from './sampler.ts';
import { faceParameters } from './weights.ts';

/** Fingerprint and detections of a region at its last scan. */
interface CachedScan {
  readonly fingerprint: RegionFingerprint;
  readonly minScore: number;
  readonly detections: readonly Detection[];
  /** Scans skipped since then because only tracked faces moved. */
  scansSkipped: number;
}

/** Skip at most this many consecutive scans of a region in which only tracked faces moved. */
const MAX_SKIPPED_SCANS = 12;

/** Runs BlazeFace on regions of I420 frames. One call at a time. */
export class FaceDetector {
  readonly #parameters: Parameters;
  readonly #sampler = new Sampler();
  /** One session per input size: the graph has fixed convolution sizes. */
  readonly #sessions = new Map<string, Promise<OnnxSession>>();
  readonly #cachedScans = new WeakMap<Region, CachedScan>();

  /** Throws AustreamError PREREQUISITE_MISSING when the network's weights are not installed. */
  constructor() {
    this.#parameters = faceParameters('blazeface');
  }

  /**
   * Detects faces with at least `minScore` in `regions`; each face once, best first.
   *
   * A region object that was scanned before and has the same fingerprint returns its cached detections without running
   * the network, which is the usual case with a fixed camera. Changes inside `trackedHeads` (frame coordinates) seldom
   * cause a scan; a scan skipped for that reason returns no detection that touches a tracked head.
   */
  async detect(
    image: I420Image,
    regions: readonly Region[],
    minScore: number,
    trackedHeads: readonly Box[] = [],
  ): Promise<Detection[]> {
    const detections: Detection[] = [];
    for (const region of regions)
      detections.push(...(await this.#scan(image, region, minScore, trackedHeads)));
    return suppressDuplicates(detections);
  }

  async #scan(
    image: I420Image,
    region: Region,
    minScore: number,
    trackedHeads: readonly Box[],
  ): Promise<readonly Detection[]> {
    const fingerprint = new RegionFingerprint(image, region);
    const last = this.#cachedScans.get(region);
    if (last?.minScore === minScore) {
      if (fingerprint.matches(last.fingerprint, [])) return last.detections;
      if (last.scansSkipped < MAX_SKIPPED_SCANS && fingerprint.matches(last.fingerprint, trackedHeads)) {
        last.scansSkipped++;
        return last.detections.filter(({ box }) =>
          trackedHeads.every((head) => intersectionArea(head, box) === 0),
        );
      }
    }
    const detections = await this.#infer(image, region, minScore);
    this.#cachedScans.set(region, { fingerprint, minScore, detections, scansSkipped: 0 });
    return detections;
  }

  async #infer(image: I420Image, region: Region, minScore: number): Promise<readonly Detection[]> {
    const { width, height, toFrame } = region;
    const data = new Uint8Array(width * height * 3);
    this.#sampler.sample(image, toFrame, width, height, data);
    const session = await this.#session(width, height);
    const { scores, boxes } = await session.run({ pixels: { data, shape: [1, height, width, 3] } });
    return blendOverlapping(decodeDetections(scores!.data, boxes!.data, region, minScore));
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
      // One thread: every camera has its own process, and they share the machine's cores.
      session = OnnxSession.open(graph, { threads: 1 });
      this.#sessions.set(key, session);
    }
    return session;
  }
}
