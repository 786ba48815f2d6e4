import type { Box } from '../domain/face.ts';
import type { Frame, I420Image, Micros } from '../domain/frame.ts';
import { gapThreshold } from '../domain/gap.ts';
import {
  cropSquare,
  DETECTOR_TEMPLATE,
  MESH_TEMPLATE,
  meshBox,
  meshKeypoints,
  meshSquare,
} from './alignment.ts';
import { associate, gated, overlapping } from './association.ts';
import { type Detection, type Region, sameFace } from './detections.ts';
import type { FaceDetector } from './detector.ts';
import { squareTo } from './geometry.ts';
import type { FaceMesh, Mesh, Square } from './mesh.ts';
import type { DetectOptions } from './options.ts';
import { keypointPose, meshPose } from './pose.ts';
import { type Measurement, Track } from './track.ts';

/** Presence from which a mesh is believed. */
const PRESENT = 0.5;
/**
 * A first detection this good, with a mesh that fits, needs no second one. (Cartoon lettering reached 0.69, and
 * fooled the mesh as well; a cat's face 0.72, which the mesh refused.)
 */
const STRONG = 0.75;
/** Seen twice this well, a face needs no mesh, which fits neither profiles nor the smallest faces. */
const EVIDENT = 0.8;
/** Part of `minScore` from which detections may continue a track, though not begin one. */
const LOW = 0.5;
/** Movement, in sides a second, from which a face is measured in every frame. */
const RESTLESS = 0.15;
/** How a face is looked for where it is expected: edge in crop sides, and in detector pixels. */
const LOOK = { sides: 3.5, size: 128 };
/** A face that the detector has not seen for `scanSeconds` is looked for so many times in as long again. */
const LOOKS = 4;
/** The head around a face whose movement is no news, in parts of the face's box on each side. */
const HEAD = { sides: 0.5, above: 0.6, below: 0.6 };
/** A mesh that moved more than this between two frames (sides; ratio of sides) has slipped off. */
const SLIP = { distance: 0.6, ratio: 1.6 };

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
  #ids = 0;

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
  async follow(frame: Frame, regions: readonly Region[], seconds: number): Promise<number[]> {
    const { image, captureTime } = frame;
    for (const track of this.#tracks) track.predict(seconds);
    await this.#refit(image, captureTime);
    const sought = this.#tracks.filter((track) => this.#wanted(track, captureTime));
    for (const track of sought) track.soughtAt = captureTime;
    const looks = sought.map((track) => lookAround(track.square));
    const least = this.#options.minScore * LOW;
    const heads = this.#tracks
      .filter((track) => track.trackId > 0 && !track.lost && track.fitted)
      .map(headOf);
    const detections = await this.#detector.detect(image, [...regions, ...looks], least, heads);
    await this.#take(detections, image, captureTime, sought);
    return this.#retire(image, captureTime, gapThreshold(this.#options.lostSeconds, frame.interval));
  }

  /** Ends every track; returns the ids of those that were confirmed. */
  end(): number[] {
    const ids = this.#tracks.map((track) => track.trackId).filter((id) => id > 0);
    this.#tracks = [];
    return ids;
  }

  /** Counts ids from 1 again. */
  restart(): void {
    this.#ids = 0;
  }

  /** Fits the mesh of every face that is due for it. */
  async #refit(image: I420Image, at: Micros): Promise<void> {
    const due = this.#tracks.filter(
      (track) => !track.lost && (track.age >= this.#options.every || track.restlessness > RESTLESS),
    );
    const meshes = await this.#mesh.fit(
      image,
      due.map((track) => meshSquare(track.square)),
    );
    due.forEach((track, i) => {
      const measured = fromMesh(meshes[i]!);
      if (measured && !slipped(track.square, measured.square)) {
        track.measure(measured, at);
      } else track.lost = true;
    });
  }

  /** Whether the detector shall look where this track should be: new, lost, or long unseen by the detector. */
  #wanted(track: Track, at: Micros): boolean {
    if (track.trackId === 0) return true;
    if (track.lost) return track.age % this.#options.every === 0 || track.age <= this.#options.every;
    const period = 1e6 * this.#options.scanSeconds;
    return at - track.detectedAt >= period && at - track.soughtAt >= period / LOOKS;
  }

  /** Whether the detector has not seen what is followed, though it looked: a new face once, others several times. */
  #unfounded({ trackId, detectedAt }: Track, at: Micros): boolean {
    return trackId === 0 ? detectedAt !== at : at - detectedAt > 2e6 * this.#options.scanSeconds;
  }

  async #take(
    detections: readonly Detection[],
    image: I420Image,
    at: Micros,
    sought: readonly Track[],
  ): Promise<void> {
    const { minScore, maxFaces } = this.#options;
    const inSight = this.#tracks.filter((track) => !track.lost);
    const rest: Detection[] = [];
    for (const detection of detections) {
      const track = inSight.find((other) => sameFace(other.box, detection.box));
      if (track) this.#saw(track, detection.score, at);
      else rest.push(detection);
    }
    for (const track of sought) if (!track.lost && this.#unfounded(track, at)) track.lost = true;

    const lost = this.#tracks.filter((track) => track.lost);
    const good = associate(
      lost,
      rest.filter(({ score }) => score >= minScore),
      gated,
    );
    const poor = associate(
      good.tracks,
      rest.filter(({ score }) => score < minScore),
      overlapping,
    );
    const matched = [...good.pairs, ...poor.pairs];
    const fresh = good.detections.slice(0, Math.max(0, maxFaces - this.#tracks.length));
    const found = [...matched.map(([, detection]) => detection), ...fresh];
    const meshes = await this.#mesh.fit(
      image,
      found.map(({ keypoints }) => meshSquare(cropSquare(keypoints, DETECTOR_TEMPLATE))),
    );
    matched.forEach(([track, detection], i) => {
      track.measure(fromMesh(meshes[i]!) ?? fromDetection(detection), at);
      track.lost = false;
      this.#saw(track, detection.score, at);
    });
    fresh.forEach((detection, i) => {
      const fitted = fromMesh(meshes[matched.length + i]!);
      if (!fitted && detection.score < EVIDENT) return;
      const measured = fitted ?? fromDetection(detection);
      // A mesh may settle on a face that is followed already.
      if (this.#tracks.some((track) => !track.lost && sameFace(track.box, measured.box))) return;
      const track = new Track(measured, detection.score, at);
      this.#tracks.push(track);
      if (fitted && detection.score >= STRONG) track.trackId = ++this.#ids;
    });
  }

  /** The detector saw a track again; a new one is confirmed by that. */
  #saw(track: Track, score: number, at: Micros): void {
    if (
      track.trackId === 0 &&
      at > track.detectedAt &&
      score >= (track.fitted ? this.#options.minScore : EVIDENT)
    )
      track.trackId = ++this.#ids;
    track.detect(score, at);
  }

  /** Drops what is over: faces long unseen, doubtful ones not seen again, second tracks of one face. */
  #retire({ width, height }: I420Image, at: Micros, lostFor: Micros): number[] {
    const ended: number[] = [];
    const kept: Track[] = [];
    for (const track of this.#tracks) {
      const doubtful = track.trackId === 0 && track.detectedAt < at;
      const over = doubtful || (track.lost && at - track.seenAt > lostFor);
      const second = !track.lost && kept.some((other) => !other.lost && sameFace(other.box, track.box));
      if (!over && !second && track.within(width, height)) kept.push(track);
      else if (track.trackId > 0) ended.push(track.trackId);
    }
    this.#tracks = kept;
    return ended;
  }
}

function fromMesh({ presence, points }: Mesh): Measurement | undefined {
  if (presence < PRESENT) return undefined;
  const keypoints = meshKeypoints(points);
  return {
    square: cropSquare(keypoints, MESH_TEMPLATE),
    box: meshBox(points),
    keypoints,
    pose: meshPose(points),
    mesh: true,
  };
}

function fromDetection({ box, keypoints }: Detection): Measurement {
  return {
    square: cropSquare(keypoints, DETECTOR_TEMPLATE),
    box,
    keypoints,
    pose: keypointPose(keypoints),
    mesh: false,
  };
}

function slipped(expected: Square, measured: Square): boolean {
  const distance = Math.hypot(measured.centre.x - expected.centre.x, measured.centre.y - expected.centre.y);
  const ratio = measured.side / expected.side;
  return distance > SLIP.distance * expected.side || ratio > SLIP.ratio || ratio < 1 / SLIP.ratio;
}

function lookAround({ centre, side }: Square): Region {
  const { sides, size } = LOOK;
  return {
    width: size,
    height: size,
    toFrame: squareTo(size, { centre, side: sides * side, roll: 0 }),
  };
}

function headOf({ box: { x, y, w, h } }: Track): Box {
  const { sides, above, below } = HEAD;
  return { x: x - sides * w, y: y - above * h, w: w * (1 + 2 * sides), h: h * (1 + above + below) };
}
