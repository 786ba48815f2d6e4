import sharp from 'sharp';
import { ACTION_UNIT_FACTS } from '../domain/facs.ts';
import { ACTION_UNITS } from '../domain/scores.ts';
import { AXIS, courses, HEIGHT, LANE, WIDTH } from './chart.ts';
import { begin, duration, escaped } from './format.ts';
import type { RecordedTrack } from './recording.ts';
import { auStatistics } from './statistics.ts';

const LEFT = 230;
const RIGHT = 110;
const TOP = 84;
const BOTTOM = 34;
const FULL = { width: LEFT + WIDTH + RIGHT, height: TOP + HEIGHT + AXIS + BOTTOM };
/** Pixels per unit: sharp on a screen of high resolution, and in print 17 cm wide at 400 dpi. */
const SCALE = 2;

/** The report's colours on paper; an SVG that stands alone cannot refer to a page's. */
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

/** The time courses of one face as a picture that explains itself (PNG). */
export function plotPng(track: RecordedTrack): Promise<Buffer> {
  const svg = plotSvg(track);
  return sharp(Buffer.from(svg), { density: 72 * SCALE })
    .png({ palette: true })
    .toBuffer();
}

/** The same as an SVG that needs no page around it. */
export function plotSvg(track: RecordedTrack): string {
  const { width, height } = FULL;
  const { name, version, trained } = track.model;
  const about =
    `${begin(track)}, ${duration(track.seconds)} · clock: ${track.clockSource} · epoch ${track.epoch} · ` +
    `model: ${name} ${version}`;
  const warning = trained
    ? ''
    : `<tspan class="warning" dx="12">untrained weights: the scores mean nothing</tspan>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<style>${STYLE}</style><rect width="100%" height="100%" fill="#fff"/>
<text class="title" x="20" y="32">${escaped(`${track.cameraId}, face ${track.trackId}`)}</text>
<text x="20" y="54">${escaped(about)}${warning}</text>
<text class="share" x="${width - 20}" y="${TOP - 8}">active</text>
<g transform="translate(${LEFT} ${TOP})">${unscored(track)}${halves()}${courses(track)}</g>
${labels(track)}
<text x="20" y="${height - 14}">${legend(track)}</text>
</svg>`;
}

/** Per lane its name, the scale, and in how many of the scored frames it was active. */
function labels(track: RecordedTrack): string {
  const statistics = auStatistics(track);
  return ACTION_UNITS.map((number, au) => {
    const { region, name } = ACTION_UNIT_FACTS[number]!;
    const { activeShare } = statistics[au]!;
    const top = TOP + au * LANE;
    const share = activeShare === null ? '–' : `${(100 * activeShare).toFixed(1)} %`;
    return (
      `<g class="${region}" transform="translate(0 ${top})"><text class="au" x="20" y="21">AU${number}</text>` +
      `<text x="66" y="21">${name}</text>` +
      `<text class="scale" x="${LEFT - 8}" y="10">1</text>` +
      `<text class="scale" x="${LEFT - 8}" y="${LANE - 2}">0</text>` +
      `<text class="share" x="${FULL.width - 20}" y="21">${share}</text></g>`
    );
  }).join('');
}

/** A score of 0.5 in each lane: a scale, not the threshold, which a model has per AU. */
function halves(): string {
  return ACTION_UNITS.map((_, au) => `<path class="half" d="M0 ${(au + 0.5) * LANE}H${WIDTH}"/>`).join('');
}

/** Where the face was out of sight or unreliable: nothing is known of any AU there. */
function unscored(track: RecordedTrack): string {
  const start = track.time.at(0);
  const scores = track.smoothed[0]!;
  const spans: { from: number; to: number }[] = [];
  for (let index = 1; index < track.frames; index++) {
    const [from, to] = [track.time.at(index - 1), track.time.at(index)];
    if (to - from <= track.holeSeconds && !Number.isNaN(scores.at(index))) continue;
    if (spans.at(-1)?.to === from) spans.at(-1)!.to = to;
    else spans.push({ from, to });
  }
  const x = (time: number) => ((time - start) / Math.max(track.seconds, 0.001)) * WIDTH;
  return spans
    .map(({ from, to }) => {
      const width = Math.max(1, x(to) - x(from)).toFixed(1);
      return `<rect class="unscored" x="${x(from).toFixed(1)}" y="0" width="${width}" height="${HEIGHT}"/>`;
    })
    .join('');
}

function legend(track: RecordedTrack): string {
  const share = `${((100 * track.scored) / track.frames).toFixed(1)} % of ${track.frames} instants scored`;
  return `faint: raw score · strong: smoothed · shaded: active · dashed: 0.5 · grey: not scored (${share}). Scores are 0 to 1, estimates of muscle movements, not intensities.`;
}
