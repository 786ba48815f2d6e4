import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url));

/**
 * A folder of `.cache/` that `fill` has filled, by this process or an earlier one. `content` stands for what it
 * holds: another content, another folder.
 */
export async function cached(
  name: string,
  content: string,
  fill: (dir: string) => Promise<void>,
): Promise<string> {
  const folder = join(CACHE, `${name}-${createHash('sha256').update(content).digest('hex').slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  const stage = `${folder}.${randomUUID()}`;
  mkdirSync(stage, { recursive: true });
  try {
    await fill(stage);
    // Another process may have been faster: then its folder stands, and is the same.
    if (!existsSync(folder)) renameSync(stage, folder);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  return folder;
}
