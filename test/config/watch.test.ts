import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  unwatchFile,
  watchFile,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Config, loadConfig } from '../../src/config/schema.ts';
import { ConfigFile } from '../../src/config/watch.ts';

const text = (...ids: string[]) =>
  `cameras: [${ids.map((id) => `{id: ${id}, url: "rtsp://h/${id}"}`).join(', ')}]\nkafka: {embedded: true}\n`;

const LOOK_MS = 20;

let folder: string;
let path: string;
let file: ConfigFile;
const told: (string | readonly string[])[] = [];

function follow(settleMs = 80): void {
  const idsOf = (config: Config) => config.cameras.map(({ id }) => id);
  file = new ConfigFile(
    path,
    loadConfig(path),
    {
      changed: (config, before) => told.push([idsOf(before).join(), idsOf(config).join()]),
      rejected: ({ message }) => told.push(message),
    },
    { lookMs: LOOK_MS, settleMs },
  );
}

/** Empties the file, and waits until who follows it has seen that and looked again. */
async function empty(): Promise<void> {
  const seen = Promise.withResolvers<void>();
  // Node looks once for all who watch a path.
  const look = ({ size }: Stats) => size === 0 && seen.resolve();
  watchFile(path, { interval: LOOK_MS }, look);
  // What it sees first is no change to it.
  const writing = setInterval(() => writeFileSync(path, ''), 5);
  await seen.promise;
  clearInterval(writing);
  unwatchFile(path, look);
  await setTimeout(2 * LOOK_MS);
}

async function heard(count: number): Promise<typeof told> {
  while (told.length < count) await setTimeout(10);
  return told;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'austream-config-'));
  path = join(folder, 'austream.yaml');
  told.length = 0;
});
afterEach(() => {
  file.close();
  rmSync(folder, { recursive: true });
});

describe('a config file is followed', () => {
  test('written in place, with a moment in which it is empty', async () => {
    writeFileSync(path, text('a'));
    follow(600);
    await empty();
    writeFileSync(path, text('a', 'b'));
    expect(await heard(1)).toEqual([['a', 'a,b']]);
  });

  test('put in its place, again and again', async () => {
    writeFileSync(path, text('a'));
    follow();
    for (const [index, ids] of [['b'], ['c'], ['d']].entries()) {
      writeFileSync(`${path}.new`, text(...ids));
      renameSync(`${path}.new`, path);
      await heard(index + 1);
    }
    expect(told).toEqual([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'd'],
    ]);
  });

  test('removed and back', async () => {
    writeFileSync(path, text('a'));
    follow();
    unlinkSync(path);
    expect((await heard(1))[0]).toMatch(/cannot be read: ENOENT/);
    writeFileSync(path, text('b'));
    expect((await heard(2))[1]).toEqual(['a', 'b']);
  });

  test('as Kubernetes mounts it: a link through a folder that is exchanged', async () => {
    for (const [version, ids] of [
      ['1', ['a']],
      ['2', ['b']],
    ] as const) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'austream.yaml'), text(...ids));
    }
    symlinkSync('1', join(folder, '..data'));
    symlinkSync('..data/austream.yaml', path);
    follow();
    symlinkSync('2', join(folder, '..next'));
    renameSync(join(folder, '..next'), join(folder, '..data'));
    expect(await heard(1)).toEqual([['a', 'b']]);
  });

  test('changed after it was read and before it was watched', async () => {
    writeFileSync(path, text('a'));
    const config = loadConfig(path);
    writeFileSync(path, text('b'));
    file = new ConfigFile(path, config, {
      changed: () => told.push('changed'),
      rejected: () => told.push('rejected'),
    });
    expect(await heard(1)).toEqual(['changed']);
  });
});

test('a broken config is rejected whole and said with every mistake; the next good one counts from what was good', async () => {
  writeFileSync(path, text('a'));
  follow();
  writeFileSync(
    path,
    'cameras: [{id: b, url: "rtsp://h/b"}, {id: b, url: "http://h"}]\nkafka: {embedded: true}\n',
  );
  const [message] = await heard(1);
  expect(message).toMatch(/cameras\[1\]\.url: must begin with/);
  writeFileSync(path, text('a', 'c'));
  expect((await heard(2))[1]).toEqual(['a', 'a,c']);
});

test('a password that YAML takes for an alias is rejected with its line, and not shown', async () => {
  writeFileSync(path, text('a'));
  follow();
  writeFileSync(
    path,
    'cameras:\n  - id: a\n    url: rtsp://h/a\n    password: *hunter2\nkafka: {embedded: true}\n',
  );
  const [message] = await heard(1);
  expect(message).toMatch(/Alias .* at line 4, column 15$/);
  expect(message).not.toContain('hunter2');
  writeFileSync(path, text('a', 'b'));
  expect((await heard(2))[1]).toEqual(['a', 'a,b']);
});
