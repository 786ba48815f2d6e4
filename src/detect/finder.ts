import { type CameraAreas, NO_AREAS } from '../camera/areas.ts';
import { CROP_BYTES, CROP_SIZE, type FaceCrop, type FrameFaces } from '../domain/face.ts';
import type { Frame, I420Image, Micros } from '../domain/frame.ts';
import { gapThreshold } from '../domain/gap.ts';
import { FrameAreas } from './areas.ts';
import { FaceDetector } from './detector.ts';
import { squareToFrame } from './geometry.ts';
import { FaceMesh } from './mesh.ts';
import type { DetectOptions } from './options.ts';
import { assessQuality } from './quality.ts';
import { Sampler } from './sampler.ts';
import { ScanPlan } from './scan-plan.ts';
import type { Track } from './track.ts';
import { Tracker } from './tracker.ts';

/** Face detection, tracking and alignment of one camera: frames in, aligned crops out. */
export class FaceFinder {
  readonly #options: DetectOptions;
  readonly #areas: CameraAreas;
  readonly #tracker: Tracker;
  readonly #sampler = new Sampler(true);
  #scanPlan: ScanPlan | undefined;
  #previous: { captureTime: Micros; width: number; height: number } | undefined;

  private constructor(options: DetectOptions, areas: CameraAreas, tracker: Tracker) {
    this.#options = options;
    this.#areas = areas;
    this.#tracker = tracker;
  }

  /** Rejects with AustreamError PREREQUISITE_MISSING when the networks' weights are not installed. */
  static async open(options: DetectOptions, areas: CameraAreas = NO_AREAS): Promise<FaceFinder> {
    return new FaceFinder(options, areas, new Tracker(options, new FaceDetector(), await FaceMesh.open()));
  }

  /** Processes one analysed frame. Frames come in order; one call at a time. */
  async analyse(frame: Frame): Promise<FrameFaces> {
    const { image, corrupt, ...stamp } = frame;
    const previous = this.#previous;
    this.#previous = { captureTime: frame.captureTime, width: image.width, height: image.height };
    const seconds = previous ? (frame.captureTime - previous.captureTime) / 1e6 : 0;
    const ended: number[] = [];
    const sameSize = previous?.width === image.width && previous.height === image.height;
    const gap = seconds * 1e6 > gapThreshold(this.#options.lostSeconds, frame.interval);
    if (!sameSize || !(seconds >= 0) || gap) {
      ended.push(...this.#tracker.end());
      this.#scanPlan = undefined;
    }
    const first = this.#scanPlan === undefined;
    const areas = new FrameAreas(this.#areas, image.width, image.height);
    this.#scanPlan ??= new ScanPlan(image.width, image.height, this.#options.minFaceHeight, (region) =>
      areas.isRegionMasked(region),
    );
    const regions = first ? this.#scanPlan.all() : this.#scanPlan.due(seconds, this.#options.scanSeconds);
    // No scans in a damaged frame: its artefacts may look like faces.
    const update = await this.#tracker.update(frame, corrupt ? [] : regions, seconds, areas);
    ended.push(...update.ended);
    const crops = this.#tracker.visible.map((track) => this.#cropTrack(track, stamp, image, corrupt, areas));
    return {
      ...stamp,
      crops,
      endedTracks: ended,
      ...(update.masked > 0 ? { masked: update.masked } : {}),
    };
  }

  #cropTrack(
    track: Track,
    stamp: Omit<Frame, 'image' | 'corrupt'>,
    image: I420Image,
    corrupt: boolean,
    areas: FrameAreas,
  ): FaceCrop {
    const pixels = new Uint8Array(CROP_BYTES);
    this.#sampler.sample(image, squareToFrame(CROP_SIZE, track.square), CROP_SIZE, CROP_SIZE, pixels);
    const { box, pose, score, trackId } = track;
    const quality = assessQuality(
      { pixels, faceHeight: box.h, pose, detection: score, corrupt },
      this.#options.reliable,
    );
    return { ...stamp, trackId, box, quality, zones: areas.zonesOf(box), pixels };
  }

  /** Ends every track and returns the ids of the confirmed ones. The next frame begins a new epoch, with ids from 1. */
  end(): number[] {
    this.#previous = undefined;
    this.#scanPlan = undefined;
    const ended = this.#tracker.end();
    this.#tracker.resetIds();
    return ended;
  }
}
