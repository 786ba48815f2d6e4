import type { RecordedTrack } from './recording.ts';

/** When a face came into sight, as its clock tells it. */
export function begin({ clockSource, time }: RecordedTrack): string {
  const at = time.at(0);
  return clockSource === 'file' ? `from ${at.toFixed(2)} s of the file` : new Date(at * 1_000).toISOString();
}

export function duration(seconds: number): string {
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}

/** For HTML and SVG. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
