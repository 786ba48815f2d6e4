import { ACTION_UNIT_FACTS } from '../domain/facs.ts';
import { ACTION_UNITS } from '../domain/scores.ts';
import { timeSeriesSvg } from './chart.ts';
import { escapeMarkup, formatDuration, formatStart } from './format.ts';
import type { RecordedTrack, Recording } from './recording.ts';
import { auStatistics, gapsOf } from './statistics.ts';
import { STYLE } from './style.ts';

/** The report as one self-contained HTML page, without scripts or external resources. */
export function reportHtml(
  recording: Recording,
  about: { readonly source: string; readonly made: Date },
): string {
  const tracks = [...recording.tracks.values()].sort((a, b) => a.times.at(0) - b.times.at(0));
  const frames = tracks.reduce((sum, track) => sum + track.frameCount, 0);
  const models = [...new Set(tracks.map(({ model }) => `${model.name} ${model.version}`))];
  const untrained = tracks.some(({ model }) => !model.trained);
  const title = `Action Units: ${recording.cameras.join(', ') || 'nothing recorded'}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title><style>${STYLE}</style></head><body><main>
<h1>${escapeMarkup(title)}</h1>
<p class="about">From ${escapeMarkup(about.source)}; made ${about.made.toISOString()} by austream. Model: ${escapeMarkup(models.join(', ') || 'none')}.
Scores are the model’s estimates of muscle movements (FACS), 0 to 1, and not intensities; they say nothing about what a person feels.</p>
${untrained ? '<p class="warning">Some scores come from untrained weights: they mean nothing.</p>' : ''}
${table(
  ['Cameras', 'Faces', 'Frames', 'Gaps'],
  [[recording.cameras.length, tracks.length, frames, recording.gaps.length]],
)}
${gapTable(recording)}
${tracks.map(trackSection).join('\n')}
</main></body></html>
`;
}

function trackSection(track: RecordedTrack): string {
  const { cameraId, trackId, epoch } = track;
  return `<section><h2>${escapeMarkup(`${cameraId}, face ${trackId}`)}</h2>
<p class="about">${formatStart(track)}, ${formatDuration(track.duration)}; ${escapeMarkup(`clock: ${track.clockSource}; epoch ${epoch}`)}</p>
<div class="series"><ol>${laneLabels()}</ol>${timeSeriesSvg(track)}</div>
<h3>Activations</h3>${activationTable(track)}
<h3>Data quality</h3>${qualityTable(track)}</section>`;
}

function laneLabels(): string {
  return ACTION_UNITS.map((au) => {
    const { region, name } = ACTION_UNIT_FACTS[au]!;
    return `<li class="${region}"><b>AU${au}</b> ${name}</li>`;
  }).join('');
}

function activationTable(track: RecordedTrack): string {
  const rows = auStatistics(track).map((statistics, au) => [
    `AU${ACTION_UNITS[au]} ${ACTION_UNIT_FACTS[ACTION_UNITS[au]!]!.name}`,
    statistics.activations.length,
    formatNumber(statistics.perMinute, 1),
    formatNumber(statistics.medianSeconds, 2),
    statistics.activeShare === null ? '–' : `${(100 * statistics.activeShare).toFixed(1)} %`,
    formatNumber(statistics.mean, 3),
    formatNumber(statistics.peak, 3),
    statistics.reliability === null ? 'unknown' : statistics.reliability.toFixed(2),
  ]);
  return table(
    [
      'Action Unit',
      'Activations',
      'Per minute',
      'Median seconds',
      'Active',
      'Mean score',
      'Peak score',
      'Reliability',
    ],
    rows,
  );
}

function qualityTable(track: RecordedTrack): string {
  const share = (count: number) => `${((100 * count) / track.frameCount).toFixed(1)} %`;
  const mean = track.qualityScores.mean();
  const gaps = gapsOf(track);
  const causes = Object.entries(track.unreliableCounts).map(([cause, count]) => [
    `not scored: ${cause}`,
    share(count),
  ]);
  return table(
    ['Measure', 'Value'],
    [
      ['frames', track.frameCount],
      ['frames per second', track.duration > 0 ? ((track.frameCount - 1) / track.duration).toFixed(2) : '–'],
      ['scored', share(track.scoredCount)],
      ...causes,
      ['warm-up (window not yet full)', share(track.warmupCount)],
      ['mean quality', mean.toFixed(3)],
      [
        `gaps over ${track.gapSeconds.toFixed(1)} s`,
        gaps.length === 0
          ? 'none'
          : `${gaps.length}: ${formatDuration(gaps.reduce((sum, { from, to }) => sum + to - from, 0))} in all`,
      ],
    ],
  );
}

function gapTable({ gaps }: Recording): string {
  if (gaps.length === 0) return '';
  const rows = gaps.map(({ cameraId, from, to, cause }) => [
    cameraId,
    new Date(from / 1_000).toISOString(),
    ((to - from) / 1e6).toFixed(1),
    cause,
  ]);
  return `<h2>Gaps in the video</h2>${table(['Camera', 'From', 'Seconds', 'Cause'], rows)}`;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = (row: readonly (string | number)[]) =>
    row.map((cell) => `<td>${escapeMarkup(String(cell))}</td>`).join('');
  const heads = head.map((cell) => `<th scope="col">${cell}</th>`).join('');
  return `<table><thead><tr>${heads}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('')}</tbody></table>`;
}

function formatNumber(value: number | null, digits: number): string {
  return value === null ? '–' : value.toFixed(digits);
}
