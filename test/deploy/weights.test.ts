import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildOutput } from './image-files.ts';
import { weightsFiles, weightsReason } from './weights-files.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Every file with weights that ships. Whoever adds one states its source and licence in NOTICE. */
const SHIPPED = [
  'models/edge/weights.safetensors: named .safetensors',
  'models/face/blazeface.bin: named .bin',
  'models/face/blazeface.json: TensorFlow.js by its content',
  'models/face/facemesh.bin: named .bin',
  'models/face/facemesh.json: TensorFlow.js by its content',
];

const NUGET = 'node-rdkafka/deps/librdkafka/packaging/nuget/common';
/** Files that look like weights, and what they are. */
const NOT_WEIGHTS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['arch-win32__bldtype-Release/msvcr120', 'arch-win32__bldtype-Release/msvcr140']
      .concat(['arch-x64__bldtype-Release/msvcr120', 'arch-x64__bldtype-Release/msvcr140'])
      .map((name) => [
        `${NUGET}/p-common__plat-windows__${name}.zip: binary of an unknown kind`,
        "librdkafka's: Windows libraries",
      ]),
  ),
  'node-rdkafka/deps/librdkafka/tests/trivup/trivup-0.14.0.tar.gz: binary of an unknown kind':
    "librdkafka's: a Python package for its tests",
  'playwright-core/lib/vite/htmlReport/report.js: a long base64 text': 'a page of test reports',
};

describe('weights', () => {
  let out: string;
  let scratch: string;
  beforeAll(() => {
    out = buildOutput();
    scratch = mkdtempSync(join(tmpdir(), 'austream-weights-'));
  }, 120_000);
  afterAll(() => {
    rmSync(dirname(out), { recursive: true, force: true });
    rmSync(scratch, { recursive: true, force: true });
  });

  it('in the images are the Action Unit model, BlazeFace and FaceMesh, and no other', () => {
    expect(weightsFiles(out)).toEqual(SHIPPED.map((line) => `opt/austream/${line}`));
  }, 120_000);

  it('in the repository are those and the fixtures of tests', () => {
    const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0');
    const found = tracked
      .filter((path) => path && existsSync(join(ROOT, path)) && !path.startsWith('test/fixtures/'))
      .flatMap((path) => {
        const reason = weightsReason(join(ROOT, path));
        return reason === null ? [] : [`${path}: ${reason}`];
      });
    expect(found).toEqual(SHIPPED);
  });

  it('come with no npm package, production or development', () => {
    expect(weightsFiles(join(ROOT, 'node_modules')).filter((line) => !(line in NOT_WEIGHTS))).toEqual([]);
  }, 120_000);

  it('are not in the package for consumers', () => {
    // The sources that build-package.ts compiles and copies; test/consume/package.test.ts lists its files.
    const folders = ['src', 'schemas', 'examples'];
    expect(folders.flatMap((folder) => weightsFiles(join(ROOT, folder)))).toEqual([]);
  });

  it('of the face networks are those that their README names', () => {
    const stated = [
      ...readFileSync(join(ROOT, 'models/face/README.md'), 'utf8').matchAll(
        /\| `(\S+)` \| `([0-9a-f]{64})` \|/g,
      ),
    ].map(([, file, hash]) => [file, hash]);
    const actual = globSync('{*.bin,*.json}', { cwd: join(ROOT, 'models/face') })
      .sort()
      .map((file) => [
        file,
        createHash('sha256')
          .update(readFileSync(join(ROOT, 'models/face', file)))
          .digest('hex'),
      ]);
    expect(stated).toEqual(actual);
  });

  it('have their licences beside them, and the images have them and NOTICE', () => {
    const notice = readFileSync(join(ROOT, 'NOTICE'), 'utf8');
    for (const line of SHIPPED) expect(notice).toContain(dirname(line.split(':')[0]!));
    const { training, licence } = JSON.parse(readFileSync(join(ROOT, 'models/edge/model.json'), 'utf8'));
    expect(licence).toBe('MIT');
    // Attribution that CC BY requires.
    expect(JSON.stringify(training.data)).toContain('© UK Parliament');
    expect(notice).toContain('(c) UK Parliament, CC BY 3.0');
    for (const file of ['NOTICE', 'LICENSE', 'models/face/LICENSE.mediapipe', 'models/face/LICENSE.human'])
      expect(existsSync(join(out, 'opt/austream', file)), file).toBe(true);
  });

  it.each([
    [
      'emotion.txt',
      Buffer.concat([Buffer.from([40, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"w":{"dtype":"F32"}}')]),
    ],
    ['a', Buffer.from('\x1c\0\0\0TFL3', 'latin1')],
    ['b.json', Buffer.from('{"format":"graph-model","modelTopology":{}}')],
    ['c', Buffer.from('\x08\x08\x12\x07pytorch\x1a', 'latin1')],
    ['d.dat', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')],
    ['e.js', Buffer.from(`export default "${'QUJD'.repeat(20_000)}"`)],
    ['f.dat', Buffer.alloc(20_000, '\x01\0\x3f', 'latin1')],
    ['faceres.bin', Buffer.from('x')],
    ['g.bytes', Buffer.from('\x80\x04\x95', 'latin1')],
  ])('are found under the name %s', (name, content) => {
    const file = join(scratch, name);
    writeFileSync(file, content);
    expect(weightsReason(file)).not.toBeNull();
    rmSync(file);
  });

  it('are not seen in code, pictures and libraries', () => {
    for (const file of ['src/main.ts', 'docs/dashboard.png', 'package-lock.json'])
      expect(weightsReason(join(ROOT, file)), file).toBeNull();
    cpSync('/bin/true', join(scratch, 'true'));
    expect(weightsReason(join(scratch, 'true'))).toBeNull();
  });
});
