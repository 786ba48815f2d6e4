import { execFile } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import avro from 'avsc';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuFrame } from '../../src/domain/event.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { ActivationTracker } from '../../src/infer/activations.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { recordType } from '../../src/records/avro.ts';
import { timeSeriesSvg } from '../../src/report/chart.ts';
import { readEventFile } from '../../src/report/event-file.ts';
import { readEventTopic } from '../../src/report/event-topic.ts';
import { reportHtml } from '../../src/report/html.ts';
import { openFaceCsv } from '../../src/report/openface.ts';
import { plotPng, plotSvg } from '../../src/report/plot.ts';
import { Recording } from '../../src/report/recording.ts';
import { activationsOf, auStatistics, gapsOf } from '../../src/report/statistics.ts';
import { generatedFrame } from '../dashboard/generated.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** `seconds` of one track at 25 fps; frames in `skip` are missing, frames in `unreliable` have no scores. */
function frames(
  seconds: number,
  options: {
    cameraId?: string;
    trackId?: number;
    skip?: (n: number) => boolean;
    unreliable?: (n: number) => boolean;
  } = {},
): AuFrame[] {
  const { cameraId = 'cam', trackId = 1, skip = () => false, unreliable = () => false } = options;
  return Array.from({ length: seconds * 25 }, (_, frame) => frame)
    .filter((frame) => !skip(frame))
    .map((frame) =>
      generatedFrame({
        cameraId,
        trackId,
        frame,
        receivedAt: 1.7e15 + frame * 40_000,
        unreliable: unreliable(frame),
      }),
    );
}

function recordingOf(...lists: AuFrame[][]): Recording {
  const recording = new Recording();
  for (const frame of lists.flat()) recording.addFrame(frame);
  return recording;
}

const firstTrack = (recording: Recording) => [...recording.tracks.values()][0]!;

/** Writes an Avro container file; resolves when it is closed. */
async function writeAvro(path: string, schema: avro.Schema, records: readonly object[]): Promise<void> {
  const encoder = new avro.streams.BlockEncoder(schema);
  const written = pipeline(encoder, createWriteStream(path));
  for (const record of records) encoder.write(record);
  encoder.end();
  await written;
}

describe('statistics', () => {
  /** Frames of one track in which all AUs are active (1), inactive (0) or without scores (-). */
  const framesOf = (pattern: string) =>
    [...pattern].map((kind, frame): AuFrame => {
      const receivedAt = 1.7e15 + frame * 40_000;
      const generated = generatedFrame({
        cameraId: 'c',
        trackId: 1,
        frame,
        receivedAt,
        unreliable: kind === '-',
      });
      if (kind === '-') return generated;
      const state = { raw: 0.5, p: kind === '1' ? 0.8 : 0.2, active: kind === '1', reliability: null };
      return {
        ...generated,
        aus: Object.fromEntries(AU_NAMES.map((name) => [name, state])) as AuFrame['aus'],
      };
    });

  /** The first AU's activations as published on the topic; 25 or more frames without scores end them. */
  function published(pattern: string): { from: number; to: number }[] {
    const tracker = new ActivationTracker({ minSeconds: 0, release: 1 }, new Float32Array(12).fill(0.5));
    const remaining = framesOf(pattern);
    const ends = pattern.split(/(?<=-{25,})(?=[01])/).flatMap((part) => {
      const rows = remaining.splice(0, part.length).flatMap((frame) => tracker.push(frame));
      return [...rows, ...tracker.end('unreliable')];
    });
    return ends
      .filter(({ au, phase }) => au === 'au01' && phase === 'OFFSET')
      .map(({ onset, offset }) => ({ from: onset / 1e6, to: offset! / 1e6 }));
  }

  test('match the published activations for any pattern of active, inactive and unscored frames', () => {
    const span = fc.oneof(
      fc.tuple(fc.constantFrom('0', '1'), fc.integer({ min: 1, max: 8 })),
      fc.tuple(fc.constant('-'), fc.constantFrom(1, 2, 20, 30)),
    );
    const patterns = fc
      .array(span, { minLength: 1, maxLength: 30 })
      .map((spans) => spans.map(([kind, length]) => kind.repeat(length)).join(''))
      // Exactly one second without scores is decided by rounding.
      .filter((pattern) => !/(?<!-)-{24,25}(?!-)/.test(pattern));
    fc.assert(
      fc.property(patterns, (pattern) => {
        const [statistics] = auStatistics(firstTrack(recordingOf(framesOf(pattern))));
        expect(statistics!.activations).toEqual(published(pattern));
        const scored = pattern.replaceAll('-', '');
        if (scored === '') expect(statistics!.activeShare).toBeNull();
        else
          expect(statistics!.activeShare).toBeCloseTo(scored.replaceAll('0', '').length / scored.length, 10);
      }),
      { examples: [[`${'1'.repeat(24)}-`.repeat(60)], [`111${'-'.repeat(30)}111`]] },
    );
  });

  test('no activation spans a gap', () => {
    const gap = (frame: number) => frame >= 100 && frame < 200;
    const track = firstTrack(recordingOf(frames(12, { skip: gap })));
    for (let au = 0; au < AU_NAMES.length; au++)
      for (const { from, to } of activationsOf(track, au)) {
        const [before, after] = [1.7e9 + 99 * 0.04, 1.7e9 + 200 * 0.04];
        expect(from <= before && to >= after).toBe(false);
      }
  });
});

test('frames of a slow stream have no gaps between them', () => {
  const slow = frames(1).map((frame, n) => ({ ...frame, captureTime: 1.7e15 + n * 1e6 + (n % 3) * 50_000 }));
  const active = { raw: 0.9, p: 0.9, active: true, reliability: null };
  const aus = Object.fromEntries(AU_NAMES.map((name) => [name, active])) as AuFrame['aus'];
  const track = firstTrack(recordingOf(slow.map((frame) => ({ ...frame, aus }))));
  expect(activationsOf(track, 0)).toEqual([{ from: 1.7e9, to: 1.7e9 + 24 }]);
  expect(gapsOf(track)).toEqual([]);
  expect(plotSvg(track)).not.toContain('<rect class="unscored"');
  expect(timeSeriesSvg(track).match(/class="smoothed" d="M[^M"]+"/g)).toHaveLength(12);
});

test('a redelivered frame counts once', () => {
  const delivered = frames(2);
  expect(firstTrack(recordingOf(delivered, delivered.slice(10, 20))).frameCount).toBe(50);
});

describe('the CSV in OpenFace’s format', () => {
  test('has OpenFace’s columns and rows by frame and face; an unreliable face has success 0', () => {
    const recording = recordingOf(
      frames(2, { trackId: 2, skip: (n) => n < 10 }),
      frames(2, { trackId: 1, unreliable: (n) => n === 5 }),
    );
    const [head, ...rows] = [...openFaceCsv(recording)].map((line) => line.split(','));
    const aus = ['01', '02', '04', '06', '07', '10', '12', '15', '23', '24', '25', '26'];
    expect(head).toEqual([
      ...['frame', 'face_id', 'timestamp', 'confidence', 'success'],
      ...aus.map((au) => `AU${au}_r`),
      ...aus.map((au) => `AU${au}_c`),
    ]);
    expect(rows).toHaveLength(90);
    expect(rows.every((row) => row.length === head!.length)).toBe(true);
    const order = rows.map(([frame, face]) => Number(frame) * 10 + Number(face));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    const unreliable = rows.filter((row) => row[4] === '0');
    expect(unreliable.map(([frame, face]) => [frame, face])).toEqual([['5', '1']]);
    expect(new Set(unreliable[0]!.slice(5))).toEqual(new Set(['0']));
    const row = rows.find(([frame, face]) => frame === '20' && face === '1')!;
    expect(row[2]).toBe('0.800');
    const expected = frames(1)[20]!.aus.au12!;
    expect(Number(row[head!.indexOf('AU12_r')])).toBeCloseTo(expected.p, 4);
    expect(row[head!.indexOf('AU12_c')]).toBe(String(Number(expected.active)));
  });
});

describe('the report', () => {
  const html = () =>
    reportHtml(recordingOf(frames(20), frames(20, { trackId: 2, skip: (n) => n > 100 && n < 160 })), {
      source: '<script>alert(1)</script>.ndjson',
      made: new Date(0),
    });

  test('is self-contained: no scripts, no external resources', () => {
    expect(html()).not.toMatch(/<script|<link|<img|https?:|@import|url\(/);
  });

  test('shows every face, every AU and the gaps', () => {
    expect(html().match(/<h2>cam, face \d<\/h2>/g)).toHaveLength(2);
    expect(html().match(/<path class="smoothed"/g)).toHaveLength(24);
    expect(html()).toContain('1: 2.4 s in all');
  });

  test('a long recording keeps its peaks and stays small', () => {
    const long = frames(3_000);
    const peak = { raw: 1, p: 1, active: true, reliability: null };
    long[40_000] = { ...long[40_000]!, aus: { ...long[40_000]!.aus, au01: peak } };
    const page = reportHtml(recordingOf(long), { source: 'x', made: new Date(0) });
    expect(page.length).toBeLessThan(1_500_000);
    const au01 = /<path class="smoothed" d="([^"]+)"/.exec(page)![1]!;
    // A lane is 34 high with margins of 2: a score of 1 is at y = 2.
    expect(au01).toMatch(/[V ]2\.0/);
  });
});

test('markup in events is escaped', () => {
  const [frame] = frames(1);
  const evil = '<img src=x onerror=alert(1)>';
  const injected = { ...frame!, cameraId: evil, clockSource: evil, model: { ...frame!.model, name: evil } };
  const track = { ...injected, trackId: evil, epoch: evil } as unknown as AuFrame;
  const recording = recordingOf([track]);
  recording.addStatus({ cameraId: evil, at: 1, gap: { from: 1, to: 2, cause: evil, framesLost: null } });
  expect(reportHtml(recording, { source: evil, made: new Date(0) })).not.toContain('<img');
  expect(plotSvg(firstTrack(recording))).not.toContain('<img');
});

describe('the plot of a face', () => {
  const BLUE = [0x25, 0x63, 0xc9];
  const GREY = [0xe5, 0xe7, 0xe9];

  /** Decodes a PNG; `at` returns the RGB of a point in SVG units. */
  async function decodePng(png: Buffer) {
    const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) => {
      const offset = (Math.round(y * 2) * info.width + Math.round(x * 2)) * 3;
      return [...data.subarray(offset, offset + 3)];
    };
    return { at, width: info.width, height: info.height };
  }

  const isClose = (actual: number[], expected: number[]) =>
    actual.every((value, channel) => Math.abs(value - expected[channel]!) < 12);

  test('draws the curve in its colour at its score, and grey where nothing was scored', async () => {
    const steady = { raw: 0.9, p: 0.9, active: false, reliability: null };
    const gappy = frames(20, { skip: (n) => n >= 250 && n < 375, unreliable: (n) => n >= 125 && n < 150 });
    const track = firstTrack(
      recordingOf(
        gappy.map((frame) => (frame.aus.au01 ? { ...frame, aus: { ...frame.aus, au01: steady } } : frame)),
      ),
    );
    const { at, width, height } = await decodePng(await plotPng(track));
    expect([width, height]).toEqual([2680, 1100]);
    // The first lane begins at (230, 84); lanes are 34 high with margins of 2; 20 seconds are 1000 wide.
    const y = 84 + 34 - 2 - 0.9 * 30;
    expect(isClose(at(230 + 100, y), BLUE)).toBe(true);
    expect(isClose(at(230 + 900, y), BLUE)).toBe(true);
    // Between the grid lines, which are one second apart.
    expect(isClose(at(230 + 275, 84 + 6), GREY)).toBe(true);
    expect(isClose(at(230 + 625, 84 + 6), GREY)).toBe(true);
    expect(at(230 + 425, 84 + 8)).toEqual([255, 255, 255]);
  });

  test('renders its text: a font is available', async () => {
    const { at } = await decodePng(await plotPng(firstTrack(recordingOf(frames(2)))));
    const inkCoverage = (x0: number, y0: number, x1: number, y1: number) => {
      let dark = 0;
      for (let y = y0; y < y1; y += 0.5)
        for (let x = x0; x < x1; x += 0.5) if (Math.min(...at(x, y)) < 160) dark += 1;
      return dark / ((x1 - x0) * (y1 - y0) * 4);
    };
    expect(inkCoverage(20, 84 + 8, 60, 84 + 24)).toBeGreaterThan(0.1);
    expect(inkCoverage(66, 84 + 8, 160, 84 + 24)).toBeGreaterThan(0.1);
    expect(inkCoverage(235, 84 + 12 * 34 + 4, 1235, 84 + 12 * 34 + 20)).toBeGreaterThan(0.005);
  });

  test('warns of untrained weights, and escapes names', () => {
    const svg = plotSvg(firstTrack(recordingOf(frames(1, { cameraId: '<script>' }))));
    expect(svg).toContain('untrained weights');
    expect(svg).not.toContain('<script');
  });

  test('shows the single frame of a still image', async () => {
    const [still] = frames(1);
    const steady = { raw: 0.5, p: 0.5, active: false, reliability: null };
    const { at } = await decodePng(
      await plotPng(firstTrack(recordingOf([{ ...still!, aus: { ...still!.aus, au01: steady } }]))),
    );
    expect(isClose(at(230, 84 + 34 - 2 - 15), BLUE)).toBe(true);
  });
});

describe('sources', () => {
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

  test('a topic, from its oldest to its newest record', async () => {
    const options = kafkaOptions.parse({ embedded: true });
    const publisher = await openPublisher(options, { acknowledged: () => {}, dropped: () => {} });
    try {
      publisher.frames(recorded);
      await publisher.flush(20_000);
      const recording = new Recording();
      const brokers = publisher.brokers.split(',');
      await readEventTopic('au.frames', { ...options, embedded: false, brokers }, recording);
      expect(firstTrack(recording).frameCount).toBe(100);
      expect(firstTrack(recording).smoothed[0]!.at(7)).toBeCloseTo(recorded[7]!.aus.au01!.p, 5);
    } finally {
      await publisher.close();
    }
  }, 60_000);

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

describe('the command', () => {
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
