import { CROP_BYTES, CROP_SIZE, type FaceCrop, type FrameFaces } from '../domain/face.ts';
import type { Frame, I420Image, Micros } from '../domain/frame.ts';
import { gapThreshold } from '../domain/gap.ts';
import { FaceDetector } from './detector.ts';
import { squareToFrame } from './geometry.ts';
import { FaceMesh } from './mesh.ts';
import type { DetectOptions } from './options.ts';
import { assessQuality } from './quality.ts';
import { Sampler } from './sampler.ts';
import { ScanPlan } from './scan-plan.ts';
import type { Track } from './track.ts';
import { Tracker } from './tracker.ts';

/** Frames in, aligned crops out: detection, tracking and alignment of one camera. */
export class FaceFinder {
  readonly #options: DetectOptions;
  readonly #detector: FaceDetector;
  readonly #mesh: FaceMesh;
  readonly #tracker: Tracker;
  readonly #sampler = new Sampler(true);
  #scanPlan: ScanPlan | undefined;
  #previous: { captureTime: Micros; width: number; height: number } | undefined;

  private constructor(options: DetectOptions, detector: FaceDetector, mesh: FaceMesh) {
    this.#options = options;
    this.#detector = detector;
    this.#mesh = mesh;
    this.#tracker = new Tracker(options, detector, mesh);
  }

  /** Throws AustreamError PREREQUISITE_MISSING where the networks' weights are not installed. */
  static async open(options: DetectOptions): Promise<FaceFinder> {
    return new FaceFinder(options, new FaceDetector(), await FaceMesh.open());
  }

  /** One analysed frame; frames come in order, one at a time. */
  async analyse(frame: Frame): Promise<FrameFaces> {
    const { image, corrupt, ...stamp } = frame;
    const previous = this.#previous;
    this.#previous = { captureTime: frame.captureTime, width: image.width, height: image.height };
    const seconds = previous ? (frame.captureTime - previous.captureTime) / 1e6 : 0;
    const ended: number[] = [];
    const sameSize = previous?.width === image.width && previous.height === image.height;
    const hole = gapThreshold(this.#options.lostSeconds, frame.interval);
    if (!sameSize || !(seconds >= 0) || seconds * 1e6 > hole) {
      ended.push(...this.#tracker.end());
      this.#scanPlan = undefined;
    }
    const first = this.#scanPlan === undefined;
    this.#scanPlan ??= new ScanPlan(image.width, image.height, this.#options.minFaceHeight);
    const regions = first ? this.#scanPlan.all() : this.#scanPlan.due(seconds, this.#options.scanSeconds);
    // What a damaged frame shows may be no face at all: nothing new is believed from it.
    ended.push(...(await this.#tracker.update(frame, corrupt ? [] : regions, seconds)));
    const crops = this.#tracker.visible.map((track) => this.#cropTrack(track, stamp, image, corrupt));
    return { ...stamp, crops, endedTracks: ended };
  }

  #cropTrack(track: Track, stamp: Omit<Frame, 'image' | 'corrupt'>, image: I420Image, corrupt: boolean): FaceCrop {
    const pixels = new Uint8Array(CROP_BYTES);
    this.#sampler.sample(image, squareToFrame(CROP_SIZE, track.square), CROP_SIZE, CROP_SIZE, pixels);
    const { box, pose, score, trackId } = track;
    const quality = assessQuality(
      { pixels, faceHeight: box.h, pose, detection: score, corrupt },
      this.#options.reliable,
    );
    return { ...stamp, trackId, box, quality, pixels };
  }

  /** Ends every track; returns their ids. What follows is a new epoch. */
  end(): number[] {
    this.#previous = undefined;
    this.#scanPlan = undefined;
    const ended = this.#tracker.end();
    this.#tracker.resetIds();
    return ended;
  }

  async close(): Promise<void> {
    await this.#detector.close();
    await this.#mesh.close();
  }
}
