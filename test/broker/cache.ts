import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url));

/**
 * A folder in `.cache/` that `fill` has filled, in this process or an earlier one. `content` identifies the content:
 * another value gives another folder.
 */
export async function cached(
  name: string,
  content: string,
  fill: (dir: string) => Promise<void>,
): Promise<string> {
  const folder = join(CACHE, `${name}-${createHash('sha256').update(content).digest('hex').slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  const staging = `${folder}.${randomUUID()}`;
  mkdirSync(staging, { recursive: true });
  try {
    await fill(staging);
    // Another process may have finished first, with the same content.
    if (!existsSync(folder)) renameSync(staging, folder);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return folder;
}
