import type { Frame, I420Image, Micros } from '../domain/frame.ts';
import { gapThreshold } from '../domain/gap.ts';
import { meshInputSquare } from './alignment.ts';
import type { FrameAreas } from './areas.ts';
import { associate, distanceCost, iouCost } from './association.ts';
import { type Detection, isSameFace, type Region } from './detections.ts';
import type { FaceDetector } from './detector.ts';
import type { RotatedSquare } from './geometry.ts';
import { detectionMeshSquare, measureDetection, measureMesh } from './measurement.ts';
import type { FaceMesh, Mesh } from './mesh.ts';
import type { DetectOptions } from './options.ts';
import { Track } from './track.ts';
import { headBox, searchRegion } from './track-regions.ts';

/**
 * Score from which a first detection with a fitted mesh confirms a track at once. Measured on false positives: cartoon
 * lettering scored 0.69 and passed the mesh; a cat's face scored 0.72 and failed it.
 */
const CONFIRM_AT_ONCE_SCORE = 0.75;
/** Score from which two detections confirm a face without a mesh, which fits neither profiles nor the smallest faces. */
const MESHLESS_MIN_SCORE = 0.8;
/** Share of `minScore` from which detections may continue a track, but not start one. */
const LOW_SCORE_RATIO = 0.5;
/** Relative speed (see `Track.relativeSpeed`) from which a face is measured in every frame. */
const MOVING_SPEED = 0.15;
/** A track undetected for `scanSeconds` is searched for this many times per `scanSeconds`. */
const SEARCHES_PER_PERIOD = 4;
/** A mesh that shifted (crop sides) or scaled (ratio) by more than this since the prediction has slipped off the face. */
const MAX_MESH_SHIFT = { distance: 0.6, ratio: 1.6 };

/**
 * Multi-face tracker of one camera.
 *
 * Between detections each track is measured by fitting the face mesh at its predicted position. A track whose mesh
 * fails is lost, and the detector searches around it. Detections are associated with lost tracks in ByteTrack's two
 * stages (Zhang et al. 2022): high scores first, then low scores, which may only continue a track.
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

  /** Confirmed tracks that are not lost, oldest first. */
  get visible(): readonly Track[] {
    return this.#tracks.filter((track) => track.trackId > 0 && !track.lost);
  }

  /**
   * Moves every track to this frame and scans `regions` for new faces. Faces in a mask of `areas` are not tracked: a
   * track that enters one ends, before its face is measured again if its predicted position is there.
   *
   * @param seconds since the previous frame
   * @returns ids of the tracks that ended, and the number of faces found in masks: a face there is found once per scan
   */
  async update(
    frame: Frame,
    regions: readonly Region[],
    seconds: number,
    areas: FrameAreas,
  ): Promise<{ ended: number[]; masked: number }> {
    const { image, captureTime } = frame;
    for (const track of this.#tracks) track.predict(seconds);
    const entered = this.#removeMasked(areas);
    await this.#remeasure(image, captureTime);
    const searched = this.#tracks.filter((track) => this.#needsSearch(track, captureTime));
    for (const track of searched) track.searchedAt = captureTime;
    const found = await this.#detector.detect(
      image,
      [...regions, ...searched.map((track) => searchRegion(track.square))],
      this.#options.minScore * LOW_SCORE_RATIO,
      this.visible.filter((track) => track.hasMesh).map((track) => headBox(track.box)),
    );
    const detections = found.filter(({ box }) => !areas.isMasked(box));
    const masked = found.filter(({ box, score }) => areas.isMasked(box) && score >= this.#options.minScore);
    const unmatched = this.#matchVisible(detections, captureTime);
    for (const track of searched)
      if (!track.lost && this.#isUndetected(track, captureTime)) track.lost = true;
    await this.#recoverAndStart(unmatched, image, captureTime);
    // The mesh may have moved a track into a mask.
    const drifted = this.#removeMasked(areas);
    const maxLost = gapThreshold(this.#options.lostSeconds, frame.interval);
    const ended = this.#removeEnded(image, captureTime, maxLost);
    return {
      ended: [...entered.ids, ...drifted.ids, ...ended],
      masked: entered.count + drifted.count + masked.length,
    };
  }

  /** Removes the tracks whose centre lies in a mask. `ids`: of the confirmed ones. */
  #removeMasked(areas: FrameAreas): { ids: number[]; count: number } {
    const masked = this.#tracks.filter(({ box }) => areas.isMasked(box));
    this.#tracks = this.#tracks.filter((track) => !masked.includes(track));
    return { ids: masked.map(({ trackId }) => trackId).filter((id) => id > 0), count: masked.length };
  }

  /** Ends every track; returns the ids of the confirmed ones. */
  end(): number[] {
    const ids = this.#tracks.map((track) => track.trackId).filter((id) => id > 0);
    this.#tracks = [];
    return ids;
  }

  /** The next track gets id 1 again. */
  resetIds(): void {
    this.#lastId = 0;
  }

  /** Fits the mesh of every track that is due; a track whose mesh fails is lost. */
  async #remeasure(image: I420Image, captureTime: Micros): Promise<void> {
    const due = this.#tracks.filter(
      (track) =>
        !track.lost &&
        (track.framesSinceMeasured >= this.#options.every || track.relativeSpeed > MOVING_SPEED),
    );
    const meshes = await this.#mesh.fit(
      image,
      due.map((track) => meshInputSquare(track.square)),
    );
    due.forEach((track, i) => {
      const measurement = measureMesh(meshes[i]!);
      if (measurement && !hasMeshSlipped(track.square, measurement.square)) {
        track.update(measurement, captureTime);
      } else track.lost = true;
    });
  }

  /** Whether the detector searches around the track: unconfirmed, lost, or undetected for long. */
  #needsSearch(track: Track, captureTime: Micros): boolean {
    if (track.trackId === 0) return true;
    const { every, scanSeconds } = this.#options;
    if (track.lost) return track.framesSinceMeasured % every === 0 || track.framesSinceMeasured <= every;
    const period = 1e6 * scanSeconds;
    return (
      captureTime - track.detectedAt >= period &&
      captureTime - track.searchedAt >= period / SEARCHES_PER_PERIOD
    );
  }

  /** Whether the detector failed to find a searched track: once for unconfirmed ones, for two scan periods for others. */
  #isUndetected({ trackId, detectedAt }: Track, captureTime: Micros): boolean {
    return trackId === 0
      ? detectedAt !== captureTime
      : captureTime - detectedAt > 2e6 * this.#options.scanSeconds;
  }

  /** Assigns detections to the tracks that are not lost; returns the other detections. */
  #matchVisible(detections: readonly Detection[], captureTime: Micros): readonly Detection[] {
    const tracks = this.#tracks.filter((track) => !track.lost);
    return detections.filter((detection) => {
      const track = tracks.find((other) => isSameFace(other.box, detection.box));
      if (track) this.#recordDetection(track, detection.score, captureTime);
      return !track;
    });
  }

  /** Associates detections with lost tracks, and starts tracks from high-score ones that are left. */
  async #recoverAndStart(
    detections: readonly Detection[],
    image: I420Image,
    captureTime: Micros,
  ): Promise<void> {
    const { minScore, maxFaces } = this.#options;
    const high = associate(
      this.#tracks.filter((track) => track.lost),
      detections.filter(({ score }) => score >= minScore),
      distanceCost,
    );
    const low = associate(
      high.unmatchedTracks,
      detections.filter(({ score }) => score < minScore),
      iouCost,
    );
    const recovered = [...high.pairs, ...low.pairs];
    const started = high.unmatchedDetections.slice(0, Math.max(0, maxFaces - this.#tracks.length));
    const fitted = [...recovered.map(([, detection]) => detection), ...started];
    const meshes = await this.#mesh.fit(image, fitted.map(detectionMeshSquare));
    recovered.forEach(([track, detection], i) => {
      track.update(measureMesh(meshes[i]!) ?? measureDetection(detection), captureTime);
      track.lost = false;
      this.#recordDetection(track, detection.score, captureTime);
    });
    started.forEach((detection, i) => {
      this.#start(detection, meshes[recovered.length + i]!, captureTime);
    });
  }

  #start(detection: Detection, mesh: Mesh, captureTime: Micros): void {
    const measuredMesh = measureMesh(mesh);
    if (!measuredMesh && detection.score < MESHLESS_MIN_SCORE) return;
    const measurement = measuredMesh ?? measureDetection(detection);
    // The mesh may have converged on a face that is tracked already.
    if (this.#tracks.some((track) => !track.lost && isSameFace(track.box, measurement.box))) return;
    const track = new Track(measurement, detection.score, captureTime);
    this.#tracks.push(track);
    if (measuredMesh && detection.score >= CONFIRM_AT_ONCE_SCORE) track.trackId = ++this.#lastId;
  }

  /** A second detection in a later frame confirms a new track. */
  #recordDetection(track: Track, score: number, captureTime: Micros): void {
    if (
      track.trackId === 0 &&
      captureTime > track.detectedAt &&
      score >= (track.hasMesh ? this.#options.minScore : MESHLESS_MIN_SCORE)
    )
      track.trackId = ++this.#lastId;
    track.recordDetection(score, captureTime);
  }

  /**
   * Removes tracks lost for longer than `maxLost`, unconfirmed ones without a second detection, duplicates of one face,
   * and faces that left the frame. Returns the ids of the confirmed ones among them.
   */
  #removeEnded({ width, height }: I420Image, captureTime: Micros, maxLost: Micros): number[] {
    const ended: number[] = [];
    const kept: Track[] = [];
    for (const track of this.#tracks) {
      const unconfirmed = track.trackId === 0 && track.detectedAt < captureTime;
      const expired = track.lost && captureTime - track.measuredAt > maxLost;
      const duplicate = !track.lost && kept.some((other) => !other.lost && isSameFace(other.box, track.box));
      if (!unconfirmed && !expired && !duplicate && track.isCentreInside(width, height)) kept.push(track);
      else if (track.trackId > 0) ended.push(track.trackId);
    }
    this.#tracks = kept;
    return ended;
  }
}

function hasMeshSlipped(predicted: RotatedSquare, measured: RotatedSquare): boolean {
  const distance = Math.hypot(measured.centre.x - predicted.centre.x, measured.centre.y - predicted.centre.y);
  const ratio = measured.side / predicted.side;
  const { distance: maxDistance, ratio: maxRatio } = MAX_MESH_SHIFT;
  return distance > maxDistance * predicted.side || ratio > maxRatio || ratio < 1 / maxRatio;
}
