import { describe, expect, test } from 'vitest';
import { openFaceCsv } from '../../src/report/openface.ts';
import { frames, recordingOf } from './recorded.ts';

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
