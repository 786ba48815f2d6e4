import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import avro from 'avsc';
import { afterAll, describe, expect, test } from 'vitest';
import { recordType } from '../../src/records/avro.ts';
import { readEventFile } from '../../src/report/event-file.ts';
import { Recording } from '../../src/report/recording.ts';
import { firstTrack, frames } from './recorded.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes an Avro container file; resolves when it is closed. */
async function writeAvro(path: string, schema: avro.Schema, records: readonly object[]): Promise<void> {
  const encoder = new avro.streams.BlockEncoder(schema);
  const written = pipeline(encoder, createWriteStream(path));
  for (const record of records) encoder.write(record);
  encoder.end();
  await written;
}

describe('event files', () => {
  const recorded = frames(4);

  test('JSON lines of run and score', async () => {
    const path = join(folder, 'events.ndjson');
    const gap = { from: 1, to: 2, cause: 'CAMERA_STALLED', framesLost: null };
    const lines: object[] = recorded.map((frame) => ({ type: 'frame', ...frame }));
    lines.splice(
      3,
      0,
      { type: 'activation', eventId: 'x' },
      { type: 'camera', cameraId: 'cam', at: 1, state: 'LIVE', gap },
    );
    lines.push({ source: 'clip.mp4', ...recorded[0]! }, { type: 'summary' });
    writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
    const recording = new Recording();
    await readEventFile(path, recording);
    expect(recording.cameras).toEqual(['cam', 'clip.mp4']);
    expect(firstTrack(recording).frameCount).toBe(100);
    expect(recording.gaps).toEqual([{ cameraId: 'cam', ...gap }]);
  });

  test('an Avro container file', async () => {
    const path = join(folder, 'events.avro');
    await writeAvro(path, recordType('AuFrame'), recorded);
    const recording = new Recording();
    await readEventFile(path, recording);
    expect(firstTrack(recording).frameCount).toBe(100);
  });

  test.each([
    ['epoch', { epoch: '<script>alert(1)</script>' }],
    ['trackId', { trackId: '../../1' }],
    ['frame', { frame: null }],
    ['captureTime', { captureTime: '1700000000000000' }],
    ['cameraId', { cameraId: 7 }],
    ['aus.au01.p', { aus: { ...recorded[0]!.aus, au01: { ...recorded[0]!.aus.au01, p: '0.5' } } }],
  ])('an event with an invalid %s is rejected with its line', async (field, wrong) => {
    const path = join(folder, 'wrong.ndjson');
    const lines = [recorded[0], { type: 'summary' }, { ...recorded[1], ...wrong }];
    writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
    await expect(readEventFile(path, new Recording())).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: expect.stringContaining(`wrong.ndjson, line 3: ${field}: `),
    });
  });

  test('a gap without a start is rejected with its line', async () => {
    const path = join(folder, 'gap.ndjson');
    const gap = { from: null, to: 2, cause: 'CAMERA_STALLED', framesLost: null };
    writeFileSync(path, JSON.stringify({ type: 'camera', cameraId: 'cam', at: 1, state: 'LIVE', gap }));
    await expect(readEventFile(path, new Recording())).rejects.toThrow('line 1: gap.from: ');
  });

  test('an Avro record of another schema is rejected with its number', async () => {
    const path = join(folder, 'wrong.avro');
    const fields = [
      { name: 'aus', type: 'string' },
      { name: 'trackId', type: 'string' },
    ];
    await writeAvro(path, { type: 'record', name: 'Other', fields }, [{ aus: '', trackId: '1' }]);
    await expect(readEventFile(path, new Recording())).rejects.toThrow('wrong.avro, record 1: cameraId: ');
  });

  test('a file that is not an Avro container file is named', async () => {
    const path = join(folder, 'bad.avro');
    writeFileSync(path, 'no container');
    await expect(readEventFile(path, new Recording())).rejects.toThrow(
      'bad.avro: not an Avro container file',
    );
  });

  test('a missing file and a line that is not JSON are rejected', async () => {
    await expect(readEventFile(join(folder, 'nothing.ndjson'), new Recording())).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
    });
    const path = join(folder, 'bad.ndjson');
    writeFileSync(path, '{"a":1}\nnot json\n');
    await expect(readEventFile(path, new Recording())).rejects.toThrow(/line 2/);
  });
});
