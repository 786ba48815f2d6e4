import type { Box } from '../domain/face.ts';
import type { Frame, I420Image, Micros } from '../domain/frame.ts';
import { gapThreshold } from '../domain/gap.ts';
import {
  cropSquare,
  DETECTOR_TEMPLATE,
  MESH_TEMPLATE,
  meshBox,
  meshKeypoints,
  meshInputSquare,
} from './alignment.ts';
import { associate, distanceCost, iouCost } from './association.ts';
import { type Detection, type Region, isSameFace } from './detections.ts';
import type { FaceDetector } from './detector.ts';
import { squareToFrame } from './geometry.ts';
import type { FaceMesh, Mesh, RotatedSquare } from './mesh.ts';
import type { DetectOptions } from './options.ts';
import { keypointPose, meshPose } from './pose.ts';
import { type Measurement, Track } from './track.ts';

/** Presence from which a mesh is believed. */
const MIN_PRESENCE = 0.5;
/**
 * A first detection this good, with a mesh that fits, needs no second one. (Cartoon lettering reached 0.69, and
 * fooled the mesh as well; a cat's face 0.72, which the mesh refused.)
 */
const CONFIRM_AT_ONCE_SCORE = 0.75;
/** Seen twice this well, a face needs no mesh, which fits neither profiles nor the smallest faces. */
const MESHLESS_MIN_SCORE = 0.8;
/** Part of `minScore` from which detections may continue a track, though not begin one. */
const LOW_SCORE_RATIO = 0.5;
/** Movement, in sides a second, from which a face is measured in every frame. */
const MOVING_SPEED = 0.15;
/** How a face is looked for where it is expected: edge in crop sides, and in detector pixels. */
const SEARCH_REGION = { sides: 3.5, size: 128 };
/** A face that the detector has not seen for `scanSeconds` is looked for so many times in as long again. */
const SEARCHES_PER_PERIOD = 4;
/** The head around a face whose movement is no news, in parts of the face's box on each side. */
const HEAD_MARGINS = { sides: 0.5, above: 0.6, below: 0.6 };
/** A mesh that moved more than this between two frames (sides; ratio of sides) has slipped off. */
const MAX_MESH_SHIFT = { distance: 0.6, ratio: 1.6 };

/**
 * Follows faces. Between detections each track is measured by fitting the face mesh where the track expects it; a
 * track whose mesh fails is looked for around its place by the detector. Detections are associated in ByteTrack's
 * two stages (Zhang et al. 2022): good ones first, then poor ones with what is left, which may only continue a track.
 */
export class Tracker {
  readonly #options: DetectOptions;
  readonly #detector: FaceDetector;
  readonly #mesh: FaceMesh;
  #tracks: Track[] = [];
  #lastId = 0;

  constructor(options: DetectOptions, detector: FaceDetector, mesh: FaceMesh) {
    this.#options = options;
    this.#detector = detector;
    this.#mesh = mesh;
  }

  /** The confirmed faces that are in sight, oldest first. */
  get visible(): readonly Track[] {
    return this.#tracks.filter((track) => track.trackId > 0 && !track.lost);
  }

  /**
   * Moves every track on to this frame, and searches `regions` for more faces.
   *
   * @returns ids of tracks that are over
   */
  async update(frame: Frame, regions: readonly Region[], seconds: number): Promise<number[]> {
    const { image, captureTime } = frame;
    for (const track of this.#tracks) track.predict(seconds);
    await this.#remeasure(image, captureTime);
    const sought = this.#tracks.filter((track) => this.#needsSearch(track, captureTime));
    for (const track of sought) track.searchedAt = captureTime;
    const looks = sought.map((track) => searchRegion(track.square));
    const least = this.#options.minScore * LOW_SCORE_RATIO;
    const heads = this.#tracks
      .filter((track) => track.trackId > 0 && !track.lost && track.hasMesh)
      .map(headBox);
    const detections = await this.#detector.detect(image, [...regions, ...looks], least, heads);
    await this.#associate(detections, image, captureTime, sought);
    return this.#removeEnded(image, captureTime, gapThreshold(this.#options.lostSeconds, frame.interval));
  }

  /** Ends every track; returns the ids of those that were confirmed. */
  end(): number[] {
    const ids = this.#tracks.map((track) => track.trackId).filter((id) => id > 0);
    this.#tracks = [];
    return ids;
  }

  /** Counts ids from 1 again. */
  resetIds(): void {
    this.#lastId = 0;
  }

  /** Fits the mesh of every face that is due for it. */
  async #remeasure(image: I420Image, at: Micros): Promise<void> {
    const due = this.#tracks.filter(
      (track) => !track.lost && (track.framesSinceMeasured >= this.#options.every || track.relativeSpeed > MOVING_SPEED),
    );
    const meshes = await this.#mesh.fit(
      image,
      due.map((track) => meshInputSquare(track.square)),
    );
    due.forEach((track, i) => {
      const measured = measurementFromMesh(meshes[i]!);
      if (measured && !hasMeshSlipped(track.square, measured.square)) {
        track.update(measured, at);
      } else track.lost = true;
    });
  }

  /** Whether the detector shall look where this track should be: new, lost, or long unseen by the detector. */
  #needsSearch(track: Track, at: Micros): boolean {
    if (track.trackId === 0) return true;
    if (track.lost) return track.framesSinceMeasured % this.#options.every === 0 || track.framesSinceMeasured <= this.#options.every;
    const period = 1e6 * this.#options.scanSeconds;
    return at - track.detectedAt >= period && at - track.searchedAt >= period / SEARCHES_PER_PERIOD;
  }

  /** Whether the detector has not seen what is followed, though it looked: a new face once, others several times. */
  #isUnconfirmedBySearch({ trackId, detectedAt }: Track, at: Micros): boolean {
    return trackId === 0 ? detectedAt !== at : at - detectedAt > 2e6 * this.#options.scanSeconds;
  }

  async #associate(
    detections: readonly Detection[],
    image: I420Image,
    at: Micros,
    sought: readonly Track[],
  ): Promise<void> {
    const { minScore, maxFaces } = this.#options;
    const inSight = this.#tracks.filter((track) => !track.lost);
    const rest: Detection[] = [];
    for (const detection of detections) {
      const track = inSight.find((other) => isSameFace(other.box, detection.box));
      if (track) this.#confirm(track, detection.score, at);
      else rest.push(detection);
    }
    for (const track of sought) if (!track.lost && this.#isUnconfirmedBySearch(track, at)) track.lost = true;

    const lost = this.#tracks.filter((track) => track.lost);
    const good = associate(
      lost,
      rest.filter(({ score }) => score >= minScore),
      distanceCost,
    );
    const poor = associate(
      good.tracks,
      rest.filter(({ score }) => score < minScore),
      iouCost,
    );
    const matched = [...good.pairs, ...poor.pairs];
    const fresh = good.detections.slice(0, Math.max(0, maxFaces - this.#tracks.length));
    const found = [...matched.map(([, detection]) => detection), ...fresh];
    const meshes = await this.#mesh.fit(
      image,
      found.map(({ keypoints }) => meshInputSquare(cropSquare(keypoints, DETECTOR_TEMPLATE))),
    );
    matched.forEach(([track, detection], i) => {
      track.update(measurementFromMesh(meshes[i]!) ?? measurementFromDetection(detection), at);
      track.lost = false;
      this.#confirm(track, detection.score, at);
    });
    fresh.forEach((detection, i) => {
      const fitted = measurementFromMesh(meshes[matched.length + i]!);
      if (!fitted && detection.score < MESHLESS_MIN_SCORE) return;
      const measured = fitted ?? measurementFromDetection(detection);
      // A mesh may settle on a face that is followed already.
      if (this.#tracks.some((track) => !track.lost && isSameFace(track.box, measured.box))) return;
      const track = new Track(measured, detection.score, at);
      this.#tracks.push(track);
      if (fitted && detection.score >= CONFIRM_AT_ONCE_SCORE) track.trackId = ++this.#lastId;
    });
  }

  /** The detector saw a track again; a new one is confirmed by that. */
  #confirm(track: Track, score: number, at: Micros): void {
    if (
      track.trackId === 0 &&
      at > track.detectedAt &&
      score >= (track.hasMesh ? this.#options.minScore : MESHLESS_MIN_SCORE)
    )
      track.trackId = ++this.#lastId;
    track.recordDetection(score, at);
  }

  /** Drops what is over: faces long unseen, doubtful ones not seen again, second tracks of one face. */
  #removeEnded({ width, height }: I420Image, at: Micros, lostFor: Micros): number[] {
    const ended: number[] = [];
    const kept: Track[] = [];
    for (const track of this.#tracks) {
      const doubtful = track.trackId === 0 && track.detectedAt < at;
      const over = doubtful || (track.lost && at - track.measuredAt > lostFor);
      const second = !track.lost && kept.some((other) => !other.lost && isSameFace(other.box, track.box));
      if (!over && !second && track.isCentreInside(width, height)) kept.push(track);
      else if (track.trackId > 0) ended.push(track.trackId);
    }
    this.#tracks = kept;
    return ended;
  }
}

function measurementFromMesh({ presence, points }: Mesh): Measurement | undefined {
  if (presence < MIN_PRESENCE) return undefined;
  const keypoints = meshKeypoints(points);
  return {
    square: cropSquare(keypoints, MESH_TEMPLATE),
    box: meshBox(points),
    keypoints,
    pose: meshPose(points),
    mesh: true,
  };
}

function measurementFromDetection({ box, keypoints }: Detection): Measurement {
  return {
    square: cropSquare(keypoints, DETECTOR_TEMPLATE),
    box,
    keypoints,
    pose: keypointPose(keypoints),
    mesh: false,
  };
}

function hasMeshSlipped(expected: RotatedSquare, measured: RotatedSquare): boolean {
  const distance = Math.hypot(measured.centre.x - expected.centre.x, measured.centre.y - expected.centre.y);
  const ratio = measured.side / expected.side;
  return distance > MAX_MESH_SHIFT.distance * expected.side || ratio > MAX_MESH_SHIFT.ratio || ratio < 1 / MAX_MESH_SHIFT.ratio;
}

function searchRegion({ centre, side }: RotatedSquare): Region {
  const { sides, size } = SEARCH_REGION;
  return {
    width: size,
    height: size,
    toFrame: squareToFrame(size, { centre, side: sides * side, roll: 0 }),
  };
}

function headBox({ box: { x, y, w, h } }: Track): Box {
  const { sides, above, below } = HEAD_MARGINS;
  return { x: x - sides * w, y: y - above * h, w: w * (1 + 2 * sides), h: h * (1 + above + below) };
}
