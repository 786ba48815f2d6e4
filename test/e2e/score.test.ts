import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Austream, DEMO_CLIP, Scratch } from './austream.ts';
import { faceFrames, patternFrames, sideBySide, writeClip } from './clips.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const clip = (name: string, frames: readonly Buffer[]) => writeClip(scratch.path, name, frames);

/** Runs `austream score`. Returns the table's rows as objects by column name. */
async function score(files: readonly string[], code = 0, out = join(scratch.path, 'scores.csv')) {
  await using run = new Austream(['score', ...files, '--out', out]);
  expect(await run.exited, run.stderr).toBe(code);
  const text = readFileSync(out, 'utf8');
  const [header, ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  return {
    text,
    stderr: run.stderr,
    rows: rows.map((row) => Object.fromEntries(header!.map((name, i) => [name, row[i]!]))),
  };
}

describe('austream score', () => {
  it('writes one row per frame of a face, byte-identical on each run, with the scores that run publishes', async () => {
    const file = clip('face.mp4', faceFrames(100));
    const first = await score([file]);
    expect(first.rows.map((row) => Number(row.frame))).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(new Set(first.rows.map((row) => row.track))).toEqual(new Set(['1']));
    expect(Number(first.rows[50]!.time)).toBeCloseTo(2, 6);
    expect((await score([file])).text).toBe(first.text);

    const config = scratch.file('file.yaml', {
      cameras: [{ id: 'file', url: pathToFileURL(file).href }],
      kafka: { embedded: true },
    });
    await using run = new Austream(['run', '-c', config, '--json']);
    expect(await run.exited, run.stderr).toBe(0);
    const frames = run.linesOfType('frame');
    expect(frames.length).toBe(100);
    frames.forEach((frame, index) => {
      const row = first.rows[index]!;
      for (const au of ['01', '12', '26'])
        for (const [kind, value] of [
          ['raw', frame.aus[`au${au}`].raw],
          ['p', frame.aus[`au${au}`].p],
        ])
          expect(Math.abs(Number(row[`AU${au}_${kind}`]) - value)).toBeLessThan(1e-5);
    });
  });

  it('tracks two faces, each in every frame', async () => {
    const faces = faceFrames(100);
    const two = faces.slice(0, 50).map((left, i) => sideBySide(left, faces[i + 50]!));
    const { rows } = await score([clip('two.mp4', two)]);
    const framesOf = (track: string) =>
      rows.filter((row) => row.track === track).map((row) => Number(row.frame));
    expect(new Set(rows.map((row) => row.track))).toEqual(new Set(['1', '2']));
    expect(framesOf('1')).toEqual(framesOf('2'));
    expect(framesOf('1').length).toBeGreaterThanOrEqual(49);
  });

  it('never has two tracks of one face at a time when it leaves and returns', async () => {
    const faces = faceFrames(50);
    const { rows } = await score([clip('back.mp4', [...faces, ...patternFrames('smpte', 60), ...faces])]);
    const frames = rows.map((row) => Number(row.frame));
    expect(new Set(frames).size).toBe(frames.length);
    expect(frames.filter((frame) => frame < 50).length).toBeGreaterThanOrEqual(49);
    expect(frames.filter((frame) => frame >= 60 && frame < 110)).toEqual([]);
    expect(frames.filter((frame) => frame >= 110).length).toBeGreaterThanOrEqual(45);
  });

  it('finds no face in test patterns', async () => {
    const clips = ['smpte', 'snow', 'zone-plate', 'ball'].map((pattern) =>
      clip(`${pattern}.mp4`, patternFrames(pattern, 40)),
    );
    expect((await score(clips)).rows).toEqual([]);
  });

  it('scores a still image as one frame', async () => {
    const { rows } = await score([clip('still.png', faceFrames(1))]);
    expect(rows.length).toBe(1);
    expect(Number(rows[0]!.AU12_p)).toBeGreaterThan(0);
  });

  it('reports a file that is not a video, and scores the others', async () => {
    const bad = join(scratch.path, 'notes.mp4');
    writeFileSync(bad, 'these are notes');
    const { rows, stderr } = await score([bad, clip('short.mp4', faceFrames(20))], 1);
    expect(rows.length).toBe(20);
    expect(stderr).toMatch(/notes\.mp4: 0 frames.*not a video or image/);
  });

  it('reports output errors: a full disk, a missing folder, an unknown format', async () => {
    const full = join(scratch.path, 'full.csv');
    symlinkSync('/dev/full', full);
    for (const [out, code, message] of [
      [full, 1, /no space left to write .*full\.csv/],
      ['/nowhere/scores.csv', 2, /nowhere\/scores\.csv cannot be written: ENOENT/],
      ['scores.xlsx', 2, /unknown format\n.*\.csv or \.ndjson/],
    ] as const) {
      await using run = new Austream(['score', DEMO_CLIP, '--out', out]);
      expect(await run.exited).toBe(code);
      expect(run.stderr).toMatch(message);
    }
  });
});
