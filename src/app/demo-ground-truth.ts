import { readFileSync } from 'node:fs';
import type { AuFrame } from '../domain/event.ts';
import { AU_COUNT, AU_NAMES, type AuName } from '../domain/scores.ts';

/** Intensity from which an AU of the script counts as active (models/demo/README.md). */
export const ACTIVE_INTENSITY = 0.3;

export interface AuAgreement {
  readonly au: AuName;
  /** Pearson correlation of smoothed score and script; null when the script does not move the AU. */
  readonly r: number | null;
  /** F1 of `active` against the script; null when the script never activates the AU. */
  readonly f1: number | null;
}

/** The ground truth of a looping clip: the intensity (0 … 1) of each AU in each frame. */
export class ClipScript {
  readonly fps: number;
  /** By frame: (12) intensities. */
  readonly frames: readonly Float32Array[];

  /** Reads a CSV with the columns `frame,time,au01,…,au26`. */
  constructor(file: string) {
    const [, ...rows] = readFileSync(file, 'utf8').trim().split('\n');
    const cells = rows.map((row) => row.split(',').map(Number));
    this.frames = cells.map((row) => Float32Array.from(row.slice(2)));
    this.fps = (cells.length - 1) / (cells.at(-1)![1]! - cells[0]![1]!);
  }

  /** Index of the frame that is shown at `seconds` by a loop that started at `startedAt`. */
  indexAt(seconds: number, startedAt: number): number {
    const n = this.frames.length;
    return ((Math.round((seconds - startedAt) * this.fps) % n) + n) % n;
  }
}

/** Collects the scores of the looping clip and compares them with its script. */
export class ScriptComparison {
  readonly #script: ClipScript;
  readonly #seconds: number[] = [];
  readonly #scores: Float32Array[] = [];
  readonly #active: boolean[][] = [];

  constructor(script: ClipScript) {
    this.#script = script;
  }

  add(frame: Pick<AuFrame, 'captureTime' | 'aus'>): void {
    const states = AU_NAMES.map((name) => frame.aus[name]);
    if (states.includes(null)) return;
    this.#seconds.push(frame.captureTime / 1e6);
    this.#scores.push(Float32Array.from(states, (state) => state!.p));
    this.#active.push(states.map((state) => state!.active));
  }

  get frames(): number {
    return this.#seconds.length;
  }

  /** `startedAt`: when the loop's first frame was shown, in Unix seconds. */
  agreement(startedAt: number): AuAgreement[] {
    const truth = this.#seconds.map((at) => this.#script.frames[this.#script.indexAt(at, startedAt)]!);
    return Array.from({ length: AU_COUNT }, (_, au) => ({
      au: AU_NAMES[au]!,
      r: correlation(
        this.#scores.map((row) => row[au]!),
        truth.map((row) => row[au]!),
      ),
      f1: f1(
        this.#active.map((row) => row[au]!),
        truth.map((row) => row[au]! >= ACTIVE_INTENSITY),
      ),
    }));
  }
}

function correlation(a: readonly number[], b: readonly number[]): number | null {
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    ab += (a[i]! - meanA) * (b[i]! - meanB);
    aa += (a[i]! - meanA) ** 2;
    bb += (b[i]! - meanB) ** 2;
  }
  return aa > 1e-9 && bb > 1e-9 ? ab / Math.sqrt(aa * bb) : null;
}

function f1(predicted: readonly boolean[], truth: readonly boolean[]): number | null {
  const count = (p: boolean, t: boolean) =>
    predicted.filter((value, i) => value === p && truth[i] === t).length;
  const truePositives = count(true, true);
  const falsePositives = count(true, false);
  const falseNegatives = count(false, true);
  if (truePositives + falseNegatives === 0) return null;
  return (2 * truePositives) / (2 * truePositives + falsePositives + falseNegatives);
}
