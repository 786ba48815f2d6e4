import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));
const run = promisify(execFile);

/** Path of a Python with independent Avro and Kafka clients, or with other requirements, from PyPI, in a venv in `.cache/`. */
export async function python(requirements = REQUIREMENTS): Promise<string> {
  const folder = await cached('python', readFileSync(requirements, 'utf8'), async (dir) => {
    // The folder is renamed when it is complete, so activation scripts do not work; nothing uses them.
    // Debian's: pip of other Pythons may want the package wheel to build the two below.
    await run('/usr/bin/python3', ['-m', 'venv', dir]);
    // Only these two packages have no wheel; they are built with Debian's setuptools, without a download.
    const sources = [
      '--no-build-isolation',
      '--only-binary',
      ':all:',
      '--no-binary',
      'onvif-zeep,wsdiscovery',
    ];
    const pip = ['-m', 'pip', 'install', '-q', '--require-hashes', ...sources, '-r', requirements];
    await run(join(dir, 'bin/python'), pip);
  });
  return join(folder, 'bin/python');
}
