import { readdir, stat } from 'node:fs/promises';
import { overlayFolder, overlayPaths } from './overlays.ts';

/**
 * Changes whenever a config file or one of its overlays is written, replaced, added or removed, also when a symbolic link on
 * the way to it leads elsewhere, as Kubernetes updates mounted files. Never rejects: what cannot be read is part of it.
 */
export async function configFingerprint(file: string): Promise<string> {
  const overlays = await listOverlays(file);
  if (typeof overlays === 'string') return [await fileState(file), overlays].join('\n');
  return (await Promise.all([file, ...overlays].map(fileState))).join('\n');
}

/** Paths of the overlays, or the code of the error that keeps their folder from being read. */
async function listOverlays(file: string): Promise<string[] | string> {
  try {
    return overlayPaths(file, await readdir(overlayFolder(file)));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}

async function fileState(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code}`;
  }
}
