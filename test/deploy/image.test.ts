import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { before, stages } from './dockerfile.ts';
import { buildOutput } from './image-files.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('what the images get of austream', () => {
  let out: string;
  let files: string[];
  beforeAll(() => {
    out = buildOutput();
    files = readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1));
  }, 120_000);
  afterAll(() => rmSync(dirname(out), { recursive: true, force: true }));

  it('is everything that runs', () => {
    for (const path of [
      'src/main.ts',
      'bin/austream',
      'schemas/AuFrame.avsc',
      'package.json',
      'NOTICE',
      'LICENSE',
    ])
      expect(files).toContain(`opt/austream/${path}`);
    const loaded = ['node-rdkafka', 'gstreamer-superficial', 'onnxruntime-node', 'sharp', 'kafkajs'];
    const load = loaded.map((name) => `require('${name}')`).join(';');
    execFileSync(process.execPath, ['-e', load], {
      cwd: join(out, 'opt/austream'),
      env: { ORT_DISABLE_TELEMETRY: '1' },
    });
  });

  it('has no settings, credentials and keys of whoever built it', () => {
    const PRIVATE =
      /(^|\/)(\.npmrc|\.yarnrc.*|\.env(\..*)?|\.netrc|\.git|\.gitconfig|\.ssh|\.aws|config\.gypi|config\.log|id_[a-z0-9]+|.*\.(p12|pfx|jks|keystore|enc))$/;
    expect(files.filter((path) => PRIVATE.test(path))).toEqual([]);
    const keys = files.filter(
      (path) =>
        /\.(pem|key|crt|c?js|mjs|json|ts|txt|md|ya?ml)$/.test(path) &&
        /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{100}/.test(
          readFileSync(join(out, path), 'latin1'),
        ),
    );
    expect(keys).toEqual([]);
  });

  it('names no folder of the build machine', () => {
    // Not in native libraries: they have the paths of their sources, which say nothing else.
    const texts = files.filter((path) => !/\.(so(\.\d+)*|node)$/.test(path) && existsSync(join(out, path)));
    const home = userInfo().homedir;
    const named = texts.filter((path) => {
      const text = readFileSync(join(out, path), 'latin1');
      return text.includes(ROOT) || text.includes(`${home}/.npm`);
    });
    expect(named).toEqual([]);
  }, 60_000);

  it('has no compilers, build files and development packages', () => {
    expect(files.filter((path) => /\.(a|o|gyp|gypi|mk|gch)$|\/(Makefile|binding\.gyp)$/.test(path))).toEqual(
      [],
    );
    for (const name of [
      'typescript',
      'vite',
      'vitest',
      '@biomejs/biome',
      'playwright-core',
      'node-gyp',
      'npm',
    ])
      expect(existsSync(join(out, 'opt/austream/node_modules', name)), name).toBe(false);
  });
});

describe('the Dockerfile', () => {
  const lines = stages.flatMap((stage) => stage.lines);
  const of = (word: string) =>
    [...before, ...lines].filter((line) => line.word === word).map(({ rest }) => rest);

  it('has no secret in a layer: its arguments and variables are these', () => {
    expect([...new Set(of('ARG').map((rest) => rest.split('=')[0]))].sort()).toEqual([
      'BASE',
      'BUILD_BASE',
      'ONNXRUNTIME_CUDA',
      'REVISION',
      'VERSION',
    ]);
    expect(of('ENV').flatMap((rest) => rest.split(' ').map((pair) => pair.split('=')[0]))).not.toContainEqual(
      expect.stringMatching(/token|secret|password|auth|key/i),
    );
    for (const rest of of('COPY')) expect(rest).not.toMatch(/\.npmrc.*\/out|^\. |--from=build (?!\/out)/);
  });

  it('makes modes the same whatever the umask: all may read, only root may write', () => {
    const build = stages.find(({ name }) => name === 'build')!.lines;
    const modes = build.findIndex(
      ({ word, rest }) => word === 'RUN' && rest.includes('chmod -R a+rX,go-w /out'),
    );
    expect(modes).toBeGreaterThan(0);
    expect(build.slice(modes + 1).filter(({ word }) => word === 'COPY')).toEqual([]);
  });

  it('keeps secrets that lie in the copied folders out of the build', () => {
    const rules = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');
    const lastAllowed = rules.findLastIndex((rule) => rule.startsWith('!'));
    for (const rule of ['**/.env*', '**/*.pem', '**/*.key', '**/*.p12'])
      expect(rules.indexOf(rule), rule).toBeGreaterThan(lastAllowed);
  });
});
