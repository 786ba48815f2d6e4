import { ACTION_UNIT_FACTS } from '../domain/facs.ts';
import { ACTION_UNITS } from '../domain/scores.ts';
import type { RecordedTrack } from './recording.ts';
import { activationsOf } from './statistics.ts';

/** In the SVG's own units; a lane per AU. */
export const WIDTH = 1000;
export const LANE = 34;
export const AXIS = 24;
export const HEIGHT = ACTION_UNITS.length * LANE;
const STEPS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200];

/** The AU time courses of one face as an SVG for a page that brings the style and the labels. */
export function timeCourses(track: RecordedTrack): string {
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT + AXIS}" preserveAspectRatio="none" role="img" ` +
    `aria-label="Scores of 12 Action Units over time">${courses(track)}</svg>`
  );
}

/** What is in that SVG: the axis of time, and a lane each, raw faint, smoothed strong, activations as bands. */
export function courses(track: RecordedTrack): string {
  const start = track.time.at(0);
  const seconds = Math.max(track.seconds, 0.001);
  const x = (time: number) => ((time - start) / seconds) * WIDTH;
  const lanes = ACTION_UNITS.map((number, au) => {
    const { region, name } = ACTION_UNIT_FACTS[number]!;
    const bands = activationsOf(track, au)
      .map(({ from, to }) => {
        const width = Math.max(1, x(to) - x(from));
        return `<rect x="${x(from).toFixed(1)}" y="0" width="${width.toFixed(1)}" height="${LANE}"/>`;
      })
      .join('');
    return (
      `<g class="${region}" transform="translate(0 ${au * LANE})"><title>AU${number} ${name}</title>` +
      `<g class="active">${bands}</g><path class="grid" d="M0 ${LANE}H${WIDTH}"/>` +
      `<path class="raw" d="${envelope(track, au, 'raw', x)}"/>` +
      `<path class="smoothed" d="${envelope(track, au, 'smoothed', x)}"/></g>`
    );
  }).join('');
  return axis(seconds) + lanes;
}

/**
 * A path that shows every peak: of the frames that fall on one pixel, their lowest and highest score. Lines break at
 * holes and where the face was unreliable.
 */
function envelope(
  track: RecordedTrack,
  au: number,
  kind: 'raw' | 'smoothed',
  x: (time: number) => number,
): string {
  const scores = track[kind][au]!;
  const y = (score: number) => (LANE - 2 - score * (LANE - 4)).toFixed(1);
  let path = '';
  let pen: 'M' | 'L' = 'M';
  for (let index = 0; index < track.frames; ) {
    const time = track.time.at(index);
    const pixel = Math.round(x(time));
    if (index > 0 && time - track.time.at(index - 1) > track.holeSeconds) pen = 'M';
    if (Number.isNaN(scores.at(index))) {
      pen = 'M';
      index += 1;
      continue;
    }
    let [low, high] = [scores.at(index), scores.at(index)];
    for (index += 1; index < track.frames; index += 1) {
      const score = scores.at(index);
      if (Number.isNaN(score) || Math.round(x(track.time.at(index))) !== pixel) break;
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
    path += `${pen}${pixel} ${y(low)}`;
    if (high !== low) path += `V${y(high)}`;
    // A frame by itself is a dot, where lines have round ends.
    else if (pen === 'M') path += 'h0';
    pen = 'L';
  }
  return path;
}

function axis(seconds: number): string {
  const step = STEPS.find((each) => seconds / each <= 12) ?? seconds / 12;
  const marks: string[] = [];
  for (let at = 0; at <= seconds; at += step) {
    const x = ((at / seconds) * WIDTH).toFixed(1);
    marks.push(
      `<path class="grid" d="M${x} 0V${HEIGHT}"/><text class="time" x="${x}" y="${HEIGHT + 16}">${clock(at)}</text>`,
    );
  }
  return marks.join('');
}

function clock(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;
}
