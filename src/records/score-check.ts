import { AU_NAMES } from '../domain/scores.ts';
import type { AuActivation, AuFrame } from './events.ts';

/** Throws RangeError if a score is not from 0 to 1, as the schema says: Avro checks types only. */
export function checkFrameScores({ aus, quality }: AuFrame): void {
  checkScore(quality.score, 'quality.score');
  for (const name of AU_NAMES) {
    const au = aus[name];
    if (au === null) continue;
    checkScore(au.p, name);
    checkScore(au.raw, name);
  }
}

/** Throws RangeError if a score is not from 0 to 1. */
export function checkActivationScores({ peak, mean }: AuActivation): void {
  checkScore(peak, 'peak');
  checkScore(mean, 'mean');
}

/** Rounding of means and of 32-bit floats. */
const TOLERANCE = 1e-6;

function checkScore(value: number, name: string): void {
  if (!(value >= -TOLERANCE && value <= 1 + TOLERANCE))
    throw new RangeError(`${name} is ${value}, which is no score`);
}
