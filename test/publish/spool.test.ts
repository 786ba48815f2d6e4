import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryBudget } from '../../src/publish/memory-budget.ts';
import { type InFlightMessage, Outbox, type OutboxEntry } from '../../src/publish/outbox.ts';
import { Spool } from '../../src/publish/spool.ts';
import { SpoolFolder } from '../../src/publish/spool-folder.ts';

let dir: string;
let root: string;
const NO_OWNER = { enforceLimit() {}, disk() {} };
let folder: SpoolFolder | null = null;
const lost: string[] = [];
const disk: string[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'austream-spool-'));
  dir = join(root, 'topics/au.frames');
  lost.length = disk.length = 0;
});
afterEach(async () => {
  await folder?.close();
  folder = null;
  rmSync(root, { recursive: true, force: true });
});

const open = async (maxMegabytes = 16) => {
  folder = await SpoolFolder.open(
    { dir: root, maxMegabytes, syncSeconds: 1 },
    {
      lost: (key, cause) => lost.push(`${key} ${cause}`),
      disk: (state) => disk.push(state),
    },
  );
  return folder.topic('au.frames');
};
const reopen = async (maxMegabytes = 16) => {
  await folder?.close();
  return open(maxMegabytes);
};
const entry = (seq: number, bytes = 10): OutboxEntry => ({
  seq,
  topic: 'au.frames',
  key: `cam${seq % 3}/1`,
  value: Buffer.alloc(bytes, seq),
});
const entries = (from: number, to: number, bytes?: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => entry(from + index, bytes));
const readAll = (from: Spool, sentSeq = 0) => {
  const seqs: number[] = [];
  for (let next = from.next(sentSeq); next; next = from.next(sentSeq)) seqs.push(next.seq);
  return seqs;
};
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const segments = () =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort();

describe('a spool', () => {
  test('returns appended messages in order, also after a restart', async () => {
    const first = await open();
    first.append(entries(1, 1000), 0);
    expect(first.waiting).toBe(1000);
    expect(first.next(0)).toEqual(entry(1));
    const second = await reopen();
    expect(second.waiting).toBe(1000);
    expect(second.lastSeq).toBe(1000);
    expect(readAll(second)).toEqual(range(1, 1000));
    expect(second.waiting).toBe(0);
  });

  test('returns a tombstone as one, also after a restart', async () => {
    (await open()).append([{ ...entry(1), value: null }, entry(2)], 0);
    const spool = await reopen();
    expect(spool.next(0)!.value).toBeNull();
    expect(spool.next(1)!.value).toEqual(entry(2).value);
  });

  test('can be read while it grows, across many segments', async () => {
    const spool = await open(1);
    const read: number[] = [];
    for (let seq = 1; seq <= 300; seq += 3) {
      spool.append(entries(seq, seq + 2, 1000), 0);
      if (seq % 2) read.push(...readAll(spool));
    }
    read.push(...readAll(spool));
    expect(read).toEqual(range(1, 300));
    expect(segments().length).toBeGreaterThan(3);
  });

  test('removes released segments, and all files when everything is released', async () => {
    const first = await open(1);
    first.append(entries(1, 300, 1000), 0);
    readAll(first);
    const before = segments().length;
    first.release(200);
    expect(segments().length).toBeLessThan(before);
    const second = await reopen(1);
    expect(readAll(second)[0]).toBe(201);
    second.release(300);
    expect(segments()).toEqual([]);
    expect(second.bytes).toBe(0);
    const third = await reopen(1);
    expect([third.waiting, third.lastSeq]).toEqual([0, 300]);
  });

  test('skips messages that are in flight', async () => {
    const spool = await open();
    spool.append(entries(1, 10), 6);
    expect(spool.waiting).toBe(4);
    expect(readAll(spool, 6)).toEqual(range(7, 10));
    expect(spool.waiting).toBe(0);
  });

  for (const cut of [1, 5, 9, 20, 29])
    test(`truncates a last record that lacks ${cut} bytes`, async () => {
      (await open()).append(entries(1, 5), 0);
      await folder!.close();
      const path = join(dir, segments()[0]!);
      truncateSync(path, statSync(path).size - cut);
      const second = await open();
      expect(readAll(second)).toEqual(range(1, 4));
      second.append(entries(5, 6), 4);
      expect(readAll(second)).toEqual([5, 6]);
      expect(lost).toEqual([]);
    });

  test('truncates garbage after the last record', async () => {
    (await open()).append(entries(1, 5), 0);
    await folder!.close();
    appendFileSync(join(dir, segments()[0]!), Buffer.alloc(100, 0x55));
    expect(readAll(await open())).toEqual(range(1, 5));
  });

  test('never returns a corrupt record, and reports the loss', async () => {
    (await open(1)).append(entries(1, 200, 1000), 0);
    await folder!.close();
    const path = join(dir, segments()[0]!);
    const bytes = readFileSync(path);
    bytes[10_000]! ^= 1;
    writeFileSync(path, bytes);
    const seqs = readAll(await open(1));
    expect(seqs.slice(0, 9)).toEqual(range(1, 9));
    expect(seqs).not.toContain(10);
    expect(seqs.at(-1)).toBe(200);
    // The record that was changed, and those after it in its segment.
    expect(lost).toHaveLength(200 - seqs.length);
    expect(new Set(lost)).toEqual(new Set(['unknown spool_corrupt']));
  });

  test('drops the oldest messages when it is full, and reports them by key', async () => {
    const spool = await open(1);
    spool.append(entries(1, 3000, 1000), 0);
    expect(spool.bytes).toBeLessThanOrEqual(1024 * 1024);
    const kept = readAll(spool);
    expect(kept.at(-1)).toBe(3000);
    expect(kept).toEqual(range(kept[0]!, 3000));
    expect(lost).toHaveLength(kept[0]! - 1);
    expect(lost.slice(0, 3)).toEqual(['cam1/1 spool_full', 'cam2/1 spool_full', 'cam0/1 spool_full']);
  });

  test('does not report messages in flight as lost', async () => {
    const spool = await open(1);
    spool.append(entries(1, 100, 1000), 100);
    spool.append(entries(101, 3000, 1000), 100);
    const kept = readAll(spool, 100);
    expect(lost).toHaveLength(kept[0]! - 101);
  });

  test('of mixed topics, as earlier versions wrote it, moves to the topics', async () => {
    mkdirSync(root, { recursive: true });
    const mixed = new Spool({ dir: root, maxMegabytes: 16, syncSeconds: 1 }, () => {}, NO_OWNER);
    const topics = ['au.frames', 'au.activations'];
    mixed.append(
      entries(1, 100).map((message) => ({ ...message, topic: topics[message.seq % 2]! })),
      0,
    );
    mixed.release(20);
    await mixed.close();
    const frames = await open();
    const activations = folder!.topic('au.activations');
    const valuesOf = (from: Spool) => {
      const values: number[] = [];
      for (let next = from.next(0); next; next = from.next(0)) values.push(next.value![0]!);
      return values;
    };
    expect(valuesOf(frames)).toEqual(range(21, 100).filter((seq) => seq % 2 === 0));
    expect(valuesOf(activations)).toEqual(range(21, 100).filter((seq) => seq % 2 === 1));
    const again = await reopen();
    expect(again.waiting).toBe(40);
    expect(lost).toEqual([]);
  });

  test('can be open only once at a time', async () => {
    await open();
    await expect(
      SpoolFolder.open({ dir: root, maxMegabytes: 16, syncSeconds: 1 }, { lost() {} }),
    ).rejects.toMatchObject({
      code: 'SPOOL_UNUSABLE',
      message: `the spool ${root} is in use by another process`,
    });
  });

  test('rejects a folder that cannot be created', async () => {
    writeFileSync(join(root, 'file'), '');
    const options = { dir: join(root, 'file', 'spool'), maxMegabytes: 16, syncSeconds: 1 };
    await expect(SpoolFolder.open(options, { lost() {} })).rejects.toMatchObject({ code: 'SPOOL_UNUSABLE' });
  });

  test('rejects a segment of another format instead of deleting it', async () => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, '0000000000000001.seg'), 'something else entirely');
    await expect(open()).rejects.toMatchObject({ code: 'SPOOL_UNUSABLE' });
    expect(segments()).toHaveLength(1);
  });

  test('keeps all appended messages when its process is killed', async () => {
    const script = fileURLToPath(new URL('spool-writer.ts', import.meta.url));
    let from = 1;
    for (let round = 0; round < 3; round += 1) {
      const child = spawn(process.execPath, [script, root, String(from)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let appended = 0;
      for await (const line of createInterface({ input: child.stdout! })) {
        appended = Number(line);
        if (appended >= from + 2000) child.kill('SIGKILL');
      }
      const spool = await open();
      const read = readAll(spool);
      expect(read.length).toBeGreaterThanOrEqual(appended);
      expect(read).toEqual(range(1, read.length));
      from = read.length + 1;
      await folder!.close();
    }
  });
});

// Needs a small file system of its own, which only root can mount.
describe.runIf(process.getuid?.() === 0)('on a full disk', () => {
  beforeEach(() => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', root]));
  afterEach(async () => {
    await folder?.close();
    folder = null;
    execFileSync('umount', [root]);
  });

  test('leaves to the caller what does not fit, until there is room again', async () => {
    const full = await open(2);
    const all = entries(1, 3000, 1000);
    const stored = full.append(all, 0);
    expect(stored).toBeGreaterThan(500);
    expect(stored).toBeLessThan(1100);
    expect([full.failure, full.waiting, lost, disk]).toEqual(['disk_full', stored, [], ['failing']]);
    expect(full.append(all.slice(stored), 0)).toBe(0);
    expect(readAll(full)).toEqual(range(1, stored));
    full.release(stored);
    expect(full.append(all.slice(stored, stored + 500), stored)).toBe(500);
    expect(readAll(full, stored)).toEqual(range(stored + 1, stored + 500));
    expect([full.failure, lost, disk]).toEqual([null, [], ['failing', 'working']]);
  });

  test('drops the oldest messages where it shall make room, and reports them', async () => {
    const full = await open(2);
    const stored = full.append(entries(1, 3000, 1000), 0);
    expect(full.dropOldest('disk_full')).toBe(true);
    const dropped = lost.length;
    expect(dropped).toBeGreaterThan(10);
    expect(lost.every((line) => line.endsWith('disk_full'))).toBe(true);
    expect(full.append(entries(stored + 1, stored + 10, 1000), 0)).toBe(10);
    expect(readAll(full)).toEqual(range(dropped + 1, stored + 10));
  });

  test('an outbox keeps events in memory, then drops the oldest, and delivers the others in order', async () => {
    const delivered: number[] = [];
    const dropped: string[] = [];
    const sent: InFlightMessage[] = [];
    const memory = new MemoryBudget(1024 * 1024);
    const outbox = new Outbox(
      { windowMessages: 100, windowBytes: 1e6, memory, releaseEvery: 10 },
      {
        send: (message) => sent.push(message) > 0,
        delivered: ({ seq }) => delivered.push(seq),
        dropped: (_, cause) => dropped.push(cause),
      },
      await open(2),
    );
    const add = (count: number) => {
      for (let done = 0; done < count; done += 1)
        outbox.add([{ topic: 'au.frames', key: 'cam/1', value: Buffer.alloc(1000) }]);
    };
    outbox.brokersUnreachable();
    add(1500);
    expect([lost, dropped, disk]).toEqual([[], [], ['failing']]);
    expect(outbox.pending).toBe(1500);
    add(3500);
    expect(lost.length).toBeGreaterThan(0);
    outbox.resume();
    for (let message = sent.shift(); message; message = sent.shift()) outbox.delivered(message);
    const first = 5001 - delivered.length;
    expect(delivered.length).toBeGreaterThan(1200);
    expect(delivered).toEqual(range(first, 5000));
    expect(lost.length + dropped.length).toBe(first - 1);
    expect(outbox.pending).toBe(0);
  });
});

test('a folder that is deleted while it is used costs only what was in it, and is made again', async () => {
  const spool = await open(1);
  spool.append(entries(1, 200, 1000), 0);
  expect(spool.next(0)?.seq).toBe(1);
  rmSync(root, { recursive: true });
  spool.append(entries(201, 300, 1000), 0);
  const kept = readAll(spool);
  expect(kept.length + lost.length + 1).toBe(300);
  expect(kept.at(-1)).toBe(300);
  expect(new Set(lost)).toEqual(new Set(['unknown spool_corrupt']));
  spool.release(300);
  expect(spool.waiting).toBe(0);
});

test('records that are damaged while the spool is open are counted, and later ones are delivered', async () => {
  const spool = await open();
  spool.append(entries(1, 100, 1000), 0);
  const path = join(dir, segments()[0]!);
  const bytes = readFileSync(path);
  bytes[20_000]! ^= 1;
  writeFileSync(path, bytes);
  const kept = readAll(spool);
  spool.append(entries(101, 110), 0);
  kept.push(...readAll(spool));
  expect(kept.slice(-10)).toEqual(range(101, 110));
  expect(lost).toHaveLength(110 - kept.length);
  expect(spool.waiting).toBe(0);
});
