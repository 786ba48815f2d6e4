import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher, type Publisher } from '../../src/publish/publisher.ts';
import { frameNumber } from '../records/samples.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
let dir: string;
let publisher: Publisher;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'austream-package-'));
  // The npm and node of the Node that runs this test.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  await run(process.execPath, [join(ROOT, 'src/consume/build-package.ts')]);
  await run('npm', ['pack', '--silent', '--pack-destination', dir, join(ROOT, 'dist/package')], { env });
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  const [tarball] = readdirSync(dir).filter((name) => name.endsWith('.tgz'));
  await run('npm', ['install', '--silent', '--prefer-offline', `./${tarball}`], { cwd: dir, env });
  publisher = await openPublisher(kafkaOptions.parse({ embedded: true }), {
    acknowledged: () => {},
    dropped: () => {},
  });
  publisher.frames(Array.from({ length: 10 }, (_, index) => frameNumber(index)));
  await publisher.flush(20_000);
}, 240_000);
afterAll(async () => {
  await publisher?.close();
  rmSync(dir, { recursive: true, force: true });
});

const PROGRAM = `import { consume } from 'austream/consumer';
const [brokers, groupId] = process.argv.slice(2) as [string, string];
for await (const event of consume({ brokers: [brokers], topics: ['au.frames'], groupId, fromBeginning: true })) {
  if (event.record === 'AuFrame') console.log(event.value.eventId, event.value.aus.au12?.p);
  if (event.record === 'AuFrame' && event.value.frame === 9) break;
}
`;
const tsc = (file: string) =>
  run(
    join(ROOT, 'node_modules/.bin/tsc'),
    [
      ...['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024'],
      ...['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node', file],
    ],
    { cwd: dir },
  );

test('five lines of typed code read events with the installed package', async () => {
  expect(readdirSync(join(dir, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
    ...['austream', 'avsc', 'kafkajs'],
  ]);
  writeFileSync(join(dir, 'five.ts'), PROGRAM);
  await tsc('five.ts');
  const { stdout } = await run(process.execPath, ['five.ts', publisher.brokers, 'five'], { cwd: dir });
  const lines = stdout.trim().split('\n');
  expect(lines).toHaveLength(10);
  expect(lines[3]).toBe(`${frameNumber(3).eventId} ${frameNumber(3).aus.au12!.p}`);
}, 120_000);

test('the package has code, types, schemas and texts, and nothing else', () => {
  const files = readdirSync(join(dir, 'node_modules/austream'), { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(join(dir, 'node_modules/austream'), join(entry.parentPath, entry.name)));
  expect(files).toContain('NOTICE');
  const KNOWN =
    /^(LICENSE|NOTICE|README\.md|package\.json|dist\/[\w/-]+\.(js|d\.ts)|schemas\/.*\.(avsc|json|md))$/;
  expect(files.filter((file) => !KNOWN.test(file))).toEqual([]);
});

test('the compiler rejects a field that the schema does not have', async () => {
  writeFileSync(join(dir, 'wrong.ts'), PROGRAM.replace('aus.au12', 'aus.au99'));
  await expect(tsc('wrong.ts')).rejects.toMatchObject({
    stdout: expect.stringContaining("Property 'au99' does not exist on type 'AuSet'"),
  });
}, 60_000);
