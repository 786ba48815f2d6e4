import { join } from 'node:path';

/** Where the overlays of a config file are. */
export const overlayFolder = (file: string) => `${file}.d`;

/** Names of files that somebody may take for overlays. `names`: all entries of the overlay folder. */
export function ignoredOverlays(names: readonly string[]): string[] {
  return names.filter((name) => /\.ya?ml$/i.test(name) && !name.endsWith('.yaml')).sort();
}

/** Paths of a config file's overlays, in the order in which they apply. `names`: all entries of its overlay folder. */
export function overlayPaths(file: string, names: readonly string[]): string[] {
  const overlays = names.filter((name) => name.endsWith('.yaml')).sort();
  return overlays.map((name) => join(overlayFolder(file), name));
}
