import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stages } from './dockerfile.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Makes the folder /out of the Dockerfile's build stage, what every image gets of austream, by that stage's COPY lines and by
 * `trim`, over this checkout's node_modules: hard links, because they are large and `trim` only deletes. Node itself
 * and what npm prints are left out. Returns the path of /out.
 */
export function buildOutput(): string {
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  // Beside node_modules: hard links do not cross file systems.
  const work = mkdtempSync(join(ROOT, '.cache/image-'));
  const out = join(work, 'out');
  const { lines } = stages.find(({ name }) => name === 'build')!;
  for (const [sources, target] of lines
    .filter(({ word }) => word === 'COPY')
    .map(({ rest }) => [rest.split(' ').slice(0, -1), rest.split(' ').at(-1)!] as const))
    for (const source of sources) {
      const to = join(work, target.endsWith('/') ? join(target, basename(source)) : target);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(ROOT, source), to, { recursive: true });
    }
  // Without what tools keep in hidden folders, such as vitest's cache, which is written while this runs.
  const copy = 'mkdir "$2" && cp -al "$1"/[!.]* "$2"';
  execFileSync('sh', ['-c', copy, 'sh', join(ROOT, 'node_modules'), join(work, 'node_modules')]);
  if (existsSync(join(ROOT, 'dist/dashboard')))
    cpSync(join(ROOT, 'dist/dashboard'), join(work, 'dist/dashboard'), { recursive: true });
  execFileSync(process.execPath, ['deploy/docker/trim'], { cwd: work });
  const moved = lines.map(({ rest }) => /mv (.+?) \/out\/opt\/austream\//.exec(rest)).find(Boolean)![1]!;
  for (const path of moved.split(' '))
    if (existsSync(join(work, path))) execFileSync('mv', [join(work, path), join(out, 'opt/austream/')]);
  return out;
}
