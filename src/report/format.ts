import { printable } from '../printable.ts';
import type { RecordedTrack } from './recording.ts';

/** When the track began: seconds of media time for files, UTC for live cameras. */
export function formatStart({ clockSource, times }: RecordedTrack): string {
  const start = times.at(0);
  return clockSource === 'file'
    ? `from ${start.toFixed(2)} s of the file`
    : new Date(start * 1_000).toISOString();
}

export function formatDuration(seconds: number): string {
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}

/** Escapes text from events for HTML and SVG, and removes what is not printable. */
export function escapeMarkup(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
