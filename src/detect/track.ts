import type { Box, FaceKeypoints, FaceTrack } from '../domain/face.ts';
import type { Micros } from '../domain/frame.ts';
import { centreOf } from './geometry.ts';
import { KalmanFilter } from './kalman.ts';
import type { Square } from './mesh.ts';
import type { HeadPose } from './pose.ts';

/** Standard deviations of a measured crop square: parts of its side, and pixels that add to them on small faces. */
const NOISE = { mesh: 0.004, detector: 0.03, pixels: 0.15 };
/** Spectral density of the acceleration of a resting head, in sides and radians; real movements widen it. */
const RESTING = 0.02;
/** Standard deviation of a new face's unknown speed, in sides (log, radians) a second. */
const FIRST_SPEED = 0.5;
/** An unseen face keeps this part of its speed after a second. */
const KEPT_SPEED = 0.05;

/** Part of a new measurement that the box around the face takes over. */
const BOX_GAIN = 0.3;

/** What one frame says about one face. */
export interface Measurement {
  /** The square that becomes the crop. */
  readonly square: Square;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
  readonly pose: HeadPose;
  /** Whether the mesh was fitted; the detector alone is coarser. */
  readonly mesh: boolean;
}

/** One face followed through frames by where its crop lies: centre, side (log) and roll, each Kalman-filtered. */
export class Track implements FaceTrack {
  /** 0 until the track is confirmed. */
  trackId = 0;
  /** Detector score of the newest detection. */
  score: number;
  /** Capture time of the newest measurement. */
  seenAt: Micros;
  /** Capture time of the newest detection by the detector. */
  detectedAt: Micros;
  /** Capture time at which the detector was last sent to look for it. */
  soughtAt: Micros;
  /** Not seen when last looked for. */
  lost = false;
  /** Frames since the newest measurement. */
  age = 0;
  #measured: Measurement;
  /** In crop sides, from the crop's centre. */
  #box: Box;
  readonly #x: KalmanFilter;
  readonly #y: KalmanFilter;
  readonly #logSide: KalmanFilter;
  readonly #roll: KalmanFilter;

  constructor(measured: Measurement, score: number, at: Micros) {
    this.#measured = measured;
    this.#box = relativeBox(measured);
    this.score = score;
    this.seenAt = at;
    this.detectedAt = at;
    this.soughtAt = at;
    const { centre, side, roll } = measured.square;
    const filter = (value: number, unit: number) =>
      new KalmanFilter(value, (noise(measured) * unit) ** 2, (FIRST_SPEED * unit) ** 2, RESTING * unit ** 2);
    this.#x = filter(centre.x, side);
    this.#y = filter(centre.y, side);
    this.#logSide = filter(Math.log(side), 1);
    this.#roll = filter(roll, 1);
  }

  /** Where the crop lies now. */
  get square(): Square {
    return {
      centre: { x: this.#x.value, y: this.#y.value },
      side: Math.exp(this.#logSide.value),
      roll: this.#roll.value,
    };
  }

  /** The box around the face: its smoothed place relative to the crop, carried along with it. */
  get box(): Box {
    const { centre, side } = this.square;
    const { x, y, w, h } = this.#box;
    return { x: centre.x + x * side, y: centre.y + y * side, w: w * side, h: h * side };
  }

  get keypoints(): FaceKeypoints {
    return this.#measured.keypoints;
  }

  get pose(): HeadPose {
    return this.#measured.pose;
  }

  /** Whether the newest measurement is a mesh's. */
  get fitted(): boolean {
    return this.#measured.mesh;
  }

  /** How far the face may be from where it is expected, in frame pixels: one standard deviation. */
  get uncertainty(): number {
    return Math.hypot(this.#x.sigma, this.#y.sigma);
  }

  /** How fast the face moves, in sides a second. */
  get restlessness(): number {
    const { side } = this.square;
    return Math.max(
      Math.hypot(this.#x.speed, this.#y.speed) / side,
      Math.abs(this.#logSide.speed),
      Math.abs(this.#roll.speed),
    );
  }

  predict(seconds: number): void {
    this.age++;
    for (const filter of [this.#x, this.#y, this.#logSide, this.#roll]) {
      filter.predict(seconds);
      if (this.age > 1) filter.slow(KEPT_SPEED ** seconds);
    }
  }

  measure(measured: Measurement, at: Micros): void {
    const { centre, side, roll } = measured.square;
    const sigma = noise(measured);
    this.#x.update(centre.x, (sigma * side) ** 2);
    this.#y.update(centre.y, (sigma * side) ** 2);
    this.#logSide.update(Math.log(side), sigma ** 2);
    // Angles wrap: the nearest turn is meant.
    const turn = 2 * Math.PI * Math.round((this.#roll.value - roll) / (2 * Math.PI));
    this.#roll.update(roll + turn, sigma ** 2);
    const box = relativeBox(measured);
    const blend = (key: keyof Box) => this.#box[key] + BOX_GAIN * (box[key] - this.#box[key]);
    this.#box = { x: blend('x'), y: blend('y'), w: blend('w'), h: blend('h') };
    this.#measured = measured;
    this.seenAt = at;
    this.age = 0;
  }

  /** The detector saw this face too. */
  detect(score: number, at: Micros): void {
    this.score = score;
    this.detectedAt = at;
  }

  /** Whether the face's middle is within the frame. */
  within(width: number, height: number): boolean {
    const { x, y } = centreOf(this.box);
    return x >= 0 && y >= 0 && x < width && y < height;
  }
}

function noise({ mesh, square }: Measurement): number {
  return Math.hypot(mesh ? NOISE.mesh : NOISE.detector, NOISE.pixels / square.side);
}

function relativeBox({ square: { centre, side }, box: { x, y, w, h } }: Measurement): Box {
  return { x: (x - centre.x) / side, y: (y - centre.y) / side, w: w / side, h: h / side };
}
