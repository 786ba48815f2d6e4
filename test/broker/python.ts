import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));
const run = promisify(execFile);

/** A Python with other people's Avro and Kafka clients: requirements.txt from PyPI, in a venv of `.cache/`. */
export async function python(): Promise<string> {
  const folder = await cached('python', readFileSync(REQUIREMENTS, 'utf8'), async (dir) => {
    // Copies and no activation scripts matter: the folder is renamed when it is complete.
    await run('python3', ['-m', 'venv', dir]);
    await run(join(dir, 'bin/python'), ['-m', 'pip', 'install', '-q', '-r', REQUIREMENTS]);
  });
  return join(folder, 'bin/python');
}
