import { readFileSync } from 'node:fs';
import type { AuFrame } from '../domain/event.ts';
import { AU_COUNT, AU_NAMES, type AuName } from '../domain/scores.ts';

/** From this intensity on an AU of the script counts as active (models/demo/README.md). */
const ACTIVE_FROM = 0.3;

export interface AuAgreement {
  readonly au: AuName;
  /** Pearson correlation of smoothed score and script; null where the script does not move the AU. */
  readonly r: number | null;
  /** F1 of `active` against the script; null where the script never activates the AU. */
  readonly f1: number | null;
}

/** The script of a clip that plays in a loop: intensity 0…1 of each AU in each frame. */
export class ClipScript {
  readonly fps: number;
  readonly frames: readonly Float32Array[];

  /** Reads `frame,time,au01,…,au26` rows. */
  constructor(file: string) {
    const [, ...rows] = readFileSync(file, 'utf8').trim().split('\n');
    const cells = rows.map((row) => row.split(',').map(Number));
    this.frames = cells.map((row) => Float32Array.from(row.slice(2)));
    this.fps = (cells.length - 1) / (cells.at(-1)![1]! - cells[0]![1]!);
  }

  /** The frame of the loop that shows at `seconds` when the loop began at `began`. */
  indexAt(seconds: number, began: number): number {
    const n = this.frames.length;
    return ((Math.round((seconds - began) * this.fps) % n) + n) % n;
  }
}

/** What was scored of the looping clip, and how well it agrees with the script. */
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

  /** `began`: when the loop's first frame was shown, in Unix seconds. */
  agreement(began: number): AuAgreement[] {
    const truth = this.#seconds.map((at) => this.#script.frames[this.#script.indexAt(at, began)]!);
    return Array.from({ length: AU_COUNT }, (_, au) => ({
      au: AU_NAMES[au]!,
      r: correlation(
        this.#scores.map((row) => row[au]!),
        truth.map((row) => row[au]!),
      ),
      f1: f1(
        this.#active.map((row) => row[au]!),
        truth.map((row) => row[au]! >= ACTIVE_FROM),
      ),
    }));
  }
}

function correlation(a: readonly number[], b: readonly number[]): number | null {
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return aa > 1e-9 && bb > 1e-9 ? ab / Math.sqrt(aa * bb) : null;
}

function f1(predicted: readonly boolean[], truth: readonly boolean[]): number | null {
  const count = (p: boolean, t: boolean) =>
    predicted.filter((value, i) => value === p && truth[i] === t).length;
  const [hit, false1, miss] = [count(true, true), count(true, false), count(false, true)];
  return hit + miss === 0 ? null : (2 * hit) / (2 * hit + false1 + miss);
}
