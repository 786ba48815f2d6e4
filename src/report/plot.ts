import sharp from 'sharp';
import { ACTION_UNIT_FACTS } from '../domain/facs.ts';
import { ACTION_UNITS } from '../domain/scores.ts';
import { AXIS_HEIGHT, LANE_HEIGHT, PLOT_HEIGHT, PLOT_WIDTH, timeSeriesLanes } from './chart.ts';
import { escapeMarkup, formatDuration, formatStart } from './format.ts';
import type { RecordedTrack } from './recording.ts';
import { auStatistics } from './statistics.ts';

const LEFT_MARGIN = 230;
const RIGHT_MARGIN = 110;
const TOP_MARGIN = 84;
const BOTTOM_MARGIN = 34;
const IMAGE_SIZE = {
  width: LEFT_MARGIN + PLOT_WIDTH + RIGHT_MARGIN,
  height: TOP_MARGIN + PLOT_HEIGHT + AXIS_HEIGHT + BOTTOM_MARGIN,
};
/** Pixels per SVG unit: sharp on high-resolution screens and in print (17 cm wide at 400 dpi). */
const PIXELS_PER_UNIT = 2;

/** The report's light colours: a stand-alone SVG has no page style to inherit. */
const STYLE = `
*{font-family:"DejaVu Sans",Arial,Helvetica,sans-serif}
path{fill:none;stroke-linecap:round}
text{font-size:12px;fill:#5a6678}.scale{font-size:9px;text-anchor:end}.time{text-anchor:middle}.share{text-anchor:end}
.grid{stroke:#dde3ea}.half{stroke:#b9c3cf;stroke-dasharray:3 4}
.title{font-size:19px;font-weight:bold;fill:#17202e}.warning{fill:#c62828;font-weight:bold}
.unscored{fill:#5a6678;opacity:.16}
.au{font-weight:bold}
.raw{stroke-width:1;stroke-opacity:.35}.smoothed{stroke-width:1.5}
.active{opacity:.2}
.brow path:not(.grid){stroke:#2563c9}.brow rect,.brow .au{fill:#2563c9}
.eye path:not(.grid){stroke:#8b3fc4}.eye rect,.eye .au{fill:#8b3fc4}
.mouth path:not(.grid){stroke:#b4540a}.mouth rect,.mouth .au{fill:#b4540a}
`;

/** The AU scores of one face over time as a PNG with labels and legend. */
export function plotPng(track: RecordedTrack): Promise<Buffer> {
  const svg = plotSvg(track);
  return sharp(Buffer.from(svg), { density: 72 * PIXELS_PER_UNIT })
    .png({ palette: true })
    .toBuffer();
}

/** The same as a stand-alone SVG document. */
export function plotSvg(track: RecordedTrack): string {
  const { width, height } = IMAGE_SIZE;
  const { name, version, trained } = track.model;
  const about =
    `${formatStart(track)}, ${formatDuration(track.duration)} · clock: ${track.clockSource} · epoch ${track.epoch} · ` +
    `model: ${name} ${version}`;
  const warning = trained
    ? ''
    : `<tspan class="warning" dx="12">untrained weights: the scores mean nothing</tspan>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<style>${STYLE}</style><rect width="100%" height="100%" fill="#fff"/>
<text class="title" x="20" y="32">${escapeMarkup(`${track.cameraId}, face ${track.trackId}`)}</text>
<text x="20" y="54">${escapeMarkup(about)}${warning}</text>
<text class="share" x="${width - 20}" y="${TOP_MARGIN - 8}">active</text>
<g transform="translate(${LEFT_MARGIN} ${TOP_MARGIN})">${unscoredSpans(track)}${midlines()}${timeSeriesLanes(track)}</g>
${laneLabels(track)}
<text x="20" y="${height - 14}">${legend(track)}</text>
</svg>`;
}

/** Per lane: AU number and name, scale, and the share of scored frames in which the AU was active. */
function laneLabels(track: RecordedTrack): string {
  const statistics = auStatistics(track);
  return ACTION_UNITS.map((number, au) => {
    const { region, name } = ACTION_UNIT_FACTS[number]!;
    const { activeShare } = statistics[au]!;
    const top = TOP_MARGIN + au * LANE_HEIGHT;
    const share = activeShare === null ? '–' : `${(100 * activeShare).toFixed(1)} %`;
    return (
      `<g class="${region}" transform="translate(0 ${top})"><text class="au" x="20" y="21">AU${number}</text>` +
      `<text x="66" y="21">${name}</text>` +
      `<text class="scale" x="${LEFT_MARGIN - 8}" y="10">1</text>` +
      `<text class="scale" x="${LEFT_MARGIN - 8}" y="${LANE_HEIGHT - 2}">0</text>` +
      `<text class="share" x="${IMAGE_SIZE.width - 20}" y="21">${share}</text></g>`
    );
  }).join('');
}

/** A line at score 0.5 per lane: a scale mark, not the threshold, which depends on model and AU. */
function midlines(): string {
  return ACTION_UNITS.map(
    (_, au) => `<path class="half" d="M0 ${(au + 0.5) * LANE_HEIGHT}H${PLOT_WIDTH}"/>`,
  ).join('');
}

/** Grey rectangles over gaps and stretches in which the face was unreliable. */
function unscoredSpans(track: RecordedTrack): string {
  const start = track.times.at(0);
  const scores = track.smoothed[0]!;
  const spans: { from: number; to: number }[] = [];
  for (let index = 1; index < track.frameCount; index++) {
    const [from, to] = [track.times.at(index - 1), track.times.at(index)];
    if (to - from <= track.gapSeconds && !Number.isNaN(scores.at(index))) continue;
    if (spans.at(-1)?.to === from) spans.at(-1)!.to = to;
    else spans.push({ from, to });
  }
  const x = (time: number) => ((time - start) / Math.max(track.duration, 0.001)) * PLOT_WIDTH;
  return spans
    .map(({ from, to }) => {
      const width = Math.max(1, x(to) - x(from)).toFixed(1);
      return `<rect class="unscored" x="${x(from).toFixed(1)}" y="0" width="${width}" height="${PLOT_HEIGHT}"/>`;
    })
    .join('');
}

function legend(track: RecordedTrack): string {
  const share = `${((100 * track.scoredCount) / track.frameCount).toFixed(1)} % of ${track.frameCount} frames scored`;
  return `faint: raw score · strong: smoothed · shaded: active · dashed: 0.5 · grey: not scored (${share}). Scores are 0 to 1, estimates of muscle movements, not intensities.`;
}
