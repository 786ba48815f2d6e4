import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import avro from 'avsc';
import { afterAll, describe, expect, test } from 'vitest';
import { readEventFile } from '../../src/report/event-file.ts';
import { Recording } from '../../src/report/recording.ts';
import { frames } from './recorded.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

const long = avro.Type.forSchema('long');

/** An Avro container file with one block, whose counts are an attacker's. */
function container(
  schema: avro.Schema,
  count: number,
  block: Buffer,
  codec = 'null',
  size = block.length,
): Buffer {
  const meta = avro.Type.forSchema({ type: 'map', values: 'bytes' }).toBuffer({
    'avro.schema': Buffer.from(JSON.stringify(schema)),
    'avro.codec': Buffer.from(codec),
  });
  const sync = Buffer.alloc(16, 7);
  return Buffer.concat([
    Buffer.from('Obj\x01'),
    meta,
    sync,
    long.toBuffer(count),
    long.toBuffer(size),
    block,
    sync,
  ]);
}

async function read(name: string, bytes: Buffer | string): Promise<void> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  await readEventFile(path, new Recording());
}

const refused = (why: string | RegExp) =>
  expect.objectContaining({ code: 'ARGUMENT_INVALID', message: expect.stringMatching(why) });
const record = (type: avro.Schema): avro.Schema => ({
  type: 'record',
  name: 'R',
  fields: [{ name: 'f', type }],
});

describe('a recorded file that attacks', () => {
  const nulls: avro.Schema = { type: 'array', items: 'null' };
  const tree: avro.Schema = {
    type: 'record',
    name: 'T',
    fields: [{ name: 'next', type: ['null', 'T'] }],
  } as avro.Schema;
  test.each<[string, Buffer, RegExp]>([
    [
      'an array of a trillion nulls',
      container(record(nulls), 1, long.toBuffer(2 ** 40)),
      /more items than bytes/,
    ],
    [
      'a trillion records without fields',
      container({ type: 'record', name: 'E', fields: [] }, 2 ** 40, Buffer.alloc(1)),
      /records in a block/,
    ],
    [
      'a decompression bomb',
      container(record('bytes'), 1, deflateRawSync(Buffer.alloc(80 << 20)), 'deflate'),
      /not an Avro container file/,
    ],
    [
      'a block larger than the file',
      container(record('bytes'), 1, Buffer.alloc(4), 'null', 2 ** 25),
      /truncated/,
    ],
    ['a block of terabytes', container(record('bytes'), 1, Buffer.alloc(4), 'null', 2 ** 42), /a block of/],
    [
      'records nested a million deep',
      container(tree, 1, Buffer.alloc(1 << 20, 2)),
      /not an Avro container file/,
    ],
    ['no container', Buffer.from('Obj\x02'), /does not begin/],
  ])('%s is refused', async (_, bytes, why) => {
    await expect(read('events.avro', bytes)).rejects.toEqual(refused(why));
  });

  test('a line without an end is refused before it is collected', async () => {
    const line = `${JSON.stringify(frames(1)[0])}\n`;
    await expect(read('events.ndjson', line + 'x'.repeat((1 << 20) + 1))).rejects.toEqual(
      refused('line 2: longer than'),
    );
  });

  test('more faces than fit in memory are refused', () => {
    const recording = new Recording();
    const [frame] = frames(1);
    expect(() => {
      for (let epoch = 0; epoch <= 20_000; epoch++) recording.addFrame({ ...frame!, epoch });
    }).toThrow('more than 20000 faces');
  });

  test('a cause named like a member of Object.prototype is counted', async () => {
    const frame = frames(1)[0]!;
    const path = join(folder, 'causes.ndjson');
    writeFileSync(
      path,
      JSON.stringify({ ...frame, quality: { ...frame.quality, unreliable: 'constructor' } }),
    );
    const recording = new Recording();
    await readEventFile(path, recording);
    expect([...recording.tracks.values()][0]!.scoredCount).toBe(0);
  });
});
