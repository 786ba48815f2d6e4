import { ACTION_UNIT_FACTS } from '../domain/facs.ts';
import { ACTION_UNITS } from '../domain/scores.ts';
import type { RecordedTrack } from './recording.ts';
import { activationsOf } from './statistics.ts';

/** Sizes in SVG units. Each AU has one lane, as wide as the plot. */
export const PLOT_WIDTH = 1000;
export const LANE_HEIGHT = 34;
export const AXIS_HEIGHT = 24;
export const PLOT_HEIGHT = ACTION_UNITS.length * LANE_HEIGHT;
/** Candidate distances between ticks of the time axis, in seconds. */
const TICK_SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200];

/** The AU scores of one face over time, as an SVG element. The page supplies style and lane labels. */
export function timeSeriesSvg(track: RecordedTrack): string {
  return (
    `<svg viewBox="0 0 ${PLOT_WIDTH} ${PLOT_HEIGHT + AXIS_HEIGHT}" preserveAspectRatio="none" role="img" ` +
    `aria-label="Scores of 12 Action Units over time">${timeSeriesLanes(track)}</svg>`
  );
}

/** SVG content: the time axis and one lane per AU with raw score (faint), smoothed score (strong) and activations (bands). */
export function timeSeriesLanes(track: RecordedTrack): string {
  const start = track.times.at(0);
  const seconds = Math.max(track.duration, 0.001);
  const x = (time: number) => ((time - start) / seconds) * PLOT_WIDTH;
  const lanes = ACTION_UNITS.map((number, au) => {
    const { region, name } = ACTION_UNIT_FACTS[number]!;
    const bands = activationsOf(track, au)
      .map(({ from, to }) => {
        const width = Math.max(1, x(to) - x(from));
        return `<rect x="${x(from).toFixed(1)}" y="0" width="${width.toFixed(1)}" height="${LANE_HEIGHT}"/>`;
      })
      .join('');
    return (
      `<g class="${region}" transform="translate(0 ${au * LANE_HEIGHT})"><title>AU${number} ${name}</title>` +
      `<g class="active">${bands}</g><path class="grid" d="M0 ${LANE_HEIGHT}H${PLOT_WIDTH}"/>` +
      `<path class="raw" d="${envelopePath(track, au, 'raw', x)}"/>` +
      `<path class="smoothed" d="${envelopePath(track, au, 'smoothed', x)}"/></g>`
    );
  }).join('');
  return timeAxis(seconds) + lanes;
}

/**
 * SVG path of a score that keeps every peak: frames that fall on one pixel column become a vertical line from their
 * lowest to their highest score. The line breaks at gaps and where the face was unreliable.
 */
function envelopePath(
  track: RecordedTrack,
  au: number,
  kind: 'raw' | 'smoothed',
  x: (time: number) => number,
): string {
  const scores = track[kind][au]!;
  const y = (score: number) => (LANE_HEIGHT - 2 - score * (LANE_HEIGHT - 4)).toFixed(1);
  let path = '';
  let pen: 'M' | 'L' = 'M';
  for (let index = 0; index < track.frameCount; ) {
    const time = track.times.at(index);
    const pixel = Math.round(x(time));
    if (index > 0 && time - track.times.at(index - 1) > track.gapSeconds) pen = 'M';
    if (Number.isNaN(scores.at(index))) {
      pen = 'M';
      index += 1;
      continue;
    }
    let [min, max] = [scores.at(index), scores.at(index)];
    for (index += 1; index < track.frameCount; index += 1) {
      const score = scores.at(index);
      if (Number.isNaN(score) || Math.round(x(track.times.at(index))) !== pixel) break;
      min = Math.min(min, score);
      max = Math.max(max, score);
    }
    path += `${pen}${pixel} ${y(min)}`;
    if (max !== min) path += `V${y(max)}`;
    // A zero-length line draws an isolated frame as a dot, because of round line caps.
    else if (pen === 'M') path += 'h0';
    pen = 'L';
  }
  return path;
}

function timeAxis(seconds: number): string {
  const step = TICK_SECONDS.find((candidate) => seconds / candidate <= 12) ?? seconds / 12;
  const ticks: string[] = [];
  for (let tick = 0; tick <= seconds; tick += step) {
    const x = ((tick / seconds) * PLOT_WIDTH).toFixed(1);
    ticks.push(
      `<path class="grid" d="M${x} 0V${PLOT_HEIGHT}"/><text class="time" x="${x}" y="${PLOT_HEIGHT + 16}">${formatTick(tick)}</text>`,
    );
  }
  return ticks.join('');
}

function formatTick(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;
}
