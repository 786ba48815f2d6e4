import { ACTION_UNIT_FACTS } from '../domain/facs.ts';
import { ACTION_UNITS } from '../domain/scores.ts';
import { timeCourses } from './chart.ts';
import { begin, duration, escaped } from './format.ts';
import type { RecordedTrack, Recording } from './recording.ts';
import { auStatistics, holesOf } from './statistics.ts';
import { STYLE } from './style.ts';

/** A self-contained page: no script, nothing to fetch, made to be sent to a colleague or printed. */
export function reportHtml(
  recording: Recording,
  about: { readonly source: string; readonly made: Date },
): string {
  const tracks = [...recording.tracks.values()].sort((a, b) => a.time.at(0) - b.time.at(0));
  const frames = tracks.reduce((sum, track) => sum + track.frames, 0);
  const models = [...new Set(tracks.map(({ model }) => `${model.name} ${model.version}`))];
  const untrained = tracks.some(({ model }) => !model.trained);
  const title = `Action Units: ${recording.cameras.join(', ') || 'nothing recorded'}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body><main>
<h1>${escaped(title)}</h1>
<p class="about">From ${escaped(about.source)}; made ${about.made.toISOString()} by austream. Model: ${escaped(models.join(', ') || 'none')}.
Scores are the model’s estimates of muscle movements (FACS), 0 to 1, and not intensities; they say nothing about what a person feels.</p>
${untrained ? '<p class="warning">Some scores come from untrained weights: they mean nothing.</p>' : ''}
${table(
  ['Cameras', 'Faces', 'Scored instants', 'Gaps'],
  [[recording.cameras.length, tracks.length, frames, recording.gaps.length]],
)}
${gaps(recording)}
${tracks.map(section).join('\n')}
</main></body></html>
`;
}

function section(track: RecordedTrack): string {
  const { cameraId, trackId, epoch } = track;
  return `<section><h2>${escaped(`${cameraId}, face ${trackId}`)}</h2>
<p class="about">${begin(track)}, ${duration(track.seconds)}; ${escaped(`clock: ${track.clockSource}; epoch ${epoch}`)}</p>
<div class="courses"><ol>${labels()}</ol>${timeCourses(track)}</div>
<h3>Activations</h3>${activations(track)}
<h3>Data quality</h3>${quality(track)}</section>`;
}

function labels(): string {
  return ACTION_UNITS.map((au) => {
    const { region, name } = ACTION_UNIT_FACTS[au]!;
    return `<li class="${region}"><b>AU${au}</b> ${name}</li>`;
  }).join('');
}

function activations(track: RecordedTrack): string {
  const rows = auStatistics(track).map((of, au) => [
    `AU${ACTION_UNITS[au]} ${ACTION_UNIT_FACTS[ACTION_UNITS[au]!]!.name}`,
    of.activations.length,
    number(of.perMinute, 1),
    number(of.medianSeconds, 2),
    of.activeShare === null ? '–' : `${(100 * of.activeShare).toFixed(1)} %`,
    number(of.mean, 3),
    number(of.peak, 3),
    of.reliability === null ? 'unknown' : of.reliability.toFixed(2),
  ]);
  return table(
    [
      'Action Unit',
      'Times',
      'Per minute',
      'Median seconds',
      'Active',
      'Mean score',
      'Highest',
      'Reliability',
    ],
    rows,
  );
}

function quality(track: RecordedTrack): string {
  const share = (count: number) => `${((100 * count) / track.frames).toFixed(1)} %`;
  const mean = track.quality.mean();
  const holes = holesOf(track);
  const causes = Object.entries(track.unreliable).map(([cause, count]) => [
    `not scored: ${cause}`,
    share(count),
  ]);
  return table(
    ['Measure', 'Value'],
    [
      ['frames', track.frames],
      ['frames a second', track.seconds > 0 ? ((track.frames - 1) / track.seconds).toFixed(2) : '–'],
      ['scored', share(track.scored)],
      ...causes,
      ['warm-up (window not yet full)', share(track.warmup)],
      ['mean quality', mean.toFixed(3)],
      [
        `holes over ${track.holeSeconds.toFixed(1)} s`,
        holes.length === 0
          ? 'none'
          : `${holes.length}: ${duration(holes.reduce((sum, { from, to }) => sum + to - from, 0))} in all`,
      ],
    ],
  );
}

function gaps({ gaps }: Recording): string {
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
    row.map((cell) => `<td>${escaped(String(cell))}</td>`).join('');
  const heads = head.map((cell) => `<th scope="col">${cell}</th>`).join('');
  return `<table><thead><tr>${heads}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('')}</tbody></table>`;
}

function number(value: number | null, digits: number): string {
  return value === null ? '–' : value.toFixed(digits);
}
