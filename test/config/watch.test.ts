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
import { ConfigWatcher } from '../../src/config/watch.ts';

const text = (...ids: string[]) =>
  `cameras: [${ids.map((id) => `{id: ${id}, url: "rtsp://h/${id}"}`).join(', ')}]\nkafka: {embedded: true}\n`;

const POLL_MS = 20;

let folder: string;
let path: string;
let watcher: ConfigWatcher;
/** [previous ids, current ids] of each change, the message of each rejection. */
const notified: (string | readonly string[])[] = [];

function startWatcher(debounceMs = 80): void {
  const idsOf = (config: Config) => config.cameras.map(({ id }) => id);
  watcher = new ConfigWatcher(
    path,
    loadConfig(path),
    {
      changed: (current, previous) => notified.push([idsOf(previous).join(), idsOf(current).join()]),
      rejected: ({ message }) => notified.push(message),
    },
    { pollMs: POLL_MS, debounceMs },
  );
}

/** Empties the file, and waits until the watcher has seen that and polled once more. */
async function emptyFile(): Promise<void> {
  const seen = Promise.withResolvers<void>();
  // Node polls a path once for all its listeners.
  const onStat = ({ size }: Stats) => size === 0 && seen.resolve();
  watchFile(path, { interval: POLL_MS }, onStat);
  // The first poll is never reported as a change.
  const writing = setInterval(() => writeFileSync(path, ''), 5);
  await seen.promise;
  clearInterval(writing);
  unwatchFile(path, onStat);
  await setTimeout(2 * POLL_MS);
}

async function notifications(count: number): Promise<typeof notified> {
  while (notified.length < count) await setTimeout(10);
  return notified;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'austream-config-'));
  path = join(folder, 'austream.yaml');
  notified.length = 0;
});
afterEach(() => {
  watcher.close();
  rmSync(folder, { recursive: true });
});

describe('a change of a config file is reported', () => {
  test('when it is written in place and empty for a moment', async () => {
    writeFileSync(path, text('a'));
    startWatcher(600);
    await emptyFile();
    writeFileSync(path, text('a', 'b'));
    expect(await notifications(1)).toEqual([['a', 'a,b']]);
  });

  test('when it is replaced several times', async () => {
    writeFileSync(path, text('a'));
    startWatcher();
    for (const [index, ids] of [['b'], ['c'], ['d']].entries()) {
      writeFileSync(`${path}.new`, text(...ids));
      renameSync(`${path}.new`, path);
      await notifications(index + 1);
    }
    expect(notified).toEqual([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'd'],
    ]);
  });

  test('when it is removed and created again', async () => {
    writeFileSync(path, text('a'));
    startWatcher();
    unlinkSync(path);
    expect((await notifications(1))[0]).toMatch(/cannot be read: ENOENT/);
    writeFileSync(path, text('b'));
    expect((await notifications(2))[1]).toEqual(['a', 'b']);
  });

  test('when Kubernetes replaces the folder that its symbolic link leads through', async () => {
    for (const [version, ids] of [
      ['1', ['a']],
      ['2', ['b']],
    ] as const) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'austream.yaml'), text(...ids));
    }
    symlinkSync('1', join(folder, '..data'));
    symlinkSync('..data/austream.yaml', path);
    startWatcher();
    symlinkSync('2', join(folder, '..next'));
    renameSync(join(folder, '..next'), join(folder, '..data'));
    expect(await notifications(1)).toEqual([['a', 'b']]);
  });

  test('when an overlay is added, edited, replaced and removed', async () => {
    writeFileSync(path, text('a'));
    startWatcher();
    await setTimeout(3 * POLL_MS);
    const overlay = join(`${path}.d`, 'more.yaml');
    const cameras = (id: string) => text(id).split('\n')[0]!;
    mkdirSync(`${path}.d`);
    writeFileSync(overlay, cameras('b'));
    await notifications(1);
    writeFileSync(overlay, cameras('c'));
    await notifications(2);
    writeFileSync(`${overlay}.new`, cameras('d'));
    renameSync(`${overlay}.new`, overlay);
    await notifications(3);
    rmSync(`${path}.d`, { recursive: true });
    expect(await notifications(4)).toEqual([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'd'],
      ['d', 'a'],
    ]);
  });

  test('when Kubernetes replaces the overlays that its symbolic link leads through', async () => {
    writeFileSync(path, text('a'));
    const mount = `${path}.d`;
    for (const [version, id] of [
      ['1', 'b'],
      ['2', 'c'],
    ] as const) {
      mkdirSync(join(mount, version), { recursive: true });
      writeFileSync(join(mount, version, 'more.yaml'), text(id));
    }
    symlinkSync('1', join(mount, '..data'));
    symlinkSync('..data/more.yaml', join(mount, 'more.yaml'));
    startWatcher();
    await setTimeout(3 * POLL_MS);
    symlinkSync('2', join(mount, '..next'));
    renameSync(join(mount, '..next'), join(mount, '..data'));
    expect(await notifications(1)).toEqual([['b', 'c']]);
  });

  test('when it happened between loading and watching', async () => {
    writeFileSync(path, text('a'));
    const config = loadConfig(path);
    writeFileSync(path, text('b'));
    watcher = new ConfigWatcher(path, config, {
      changed: () => notified.push('changed'),
      rejected: () => notified.push('rejected'),
    });
    expect(await notifications(1)).toEqual(['changed']);
  });
});

test('an invalid config is rejected with every issue; the next change is relative to the last valid config', async () => {
  writeFileSync(path, text('a'));
  startWatcher();
  writeFileSync(
    path,
    'cameras: [{id: b, url: "rtsp://h/b"}, {id: b, url: "http://h"}]\nkafka: {embedded: true}\n',
  );
  const [message] = await notifications(1);
  expect(message).toMatch(/cameras\[1\]\.url: must begin with/);
  writeFileSync(path, text('a', 'c'));
  expect((await notifications(2))[1]).toEqual(['a', 'a,c']);
});

test('a password that YAML parses as an alias is rejected with its line and not quoted', async () => {
  writeFileSync(path, text('a'));
  startWatcher();
  writeFileSync(
    path,
    'cameras:\n  - id: a\n    url: rtsp://h/a\n    password: *hunter2\nkafka: {embedded: true}\n',
  );
  const [message] = await notifications(1);
  expect(message).toMatch(/Alias .* at line 4, column 15$/);
  expect(message).not.toContain('hunter2');
  writeFileSync(path, text('a', 'b'));
  expect((await notifications(2))[1]).toEqual(['a', 'a,b']);
});
