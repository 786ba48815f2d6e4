import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { frames } from '../report/recorded.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-report-command-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('austream report', () => {
  const austream = (...args: string[]) => promisify(execFile)('bin/austream', args);
  const events = join(folder, 'two.ndjson');
  beforeAll(() => {
    const twoCameras = [...frames(2), ...frames(2, { cameraId: 'door' })];
    writeFileSync(events, twoCameras.map((frame) => JSON.stringify(frame)).join('\n'));
  });

  test('writes report and CSV of one camera', async () => {
    const [out, csv] = [join(folder, 'r.html'), join(folder, 't.csv')];
    const { stderr } = await austream(
      'report',
      '--from',
      events,
      '--camera',
      'door',
      '--out',
      out,
      '--openface',
      csv,
    );
    expect(stderr).toContain('1 camera(s), 1 face(s), 50 frames');
    expect(readFileSync(out, 'utf8')).toContain('<h2>door, face 1</h2>');
    expect(readFileSync(csv, 'utf8').trim().split('\n')).toHaveLength(51);
  });

  test('writes a plot per face', async () => {
    const plots = join(folder, 'plots');
    await austream('report', '--from', events, '--plots', plots);
    expect(readdirSync(plots).sort()).toEqual(['cam_1_1.png', 'door_1_1.png']);
    expect(await sharp(join(plots, 'door_1_1.png')).metadata()).toMatchObject({ format: 'png' });
  });

  test('requires --camera for the CSV of several cameras', async () => {
    await expect(
      austream('report', '--from', events, '--openface', join(folder, 'x.csv')),
    ).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--camera: cam, door'),
    });
  });
});
