import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { bar, Renderer } from '../../src/terminal/renderer.ts';
import { frameNumber } from '../records/samples.ts';

/** A terminal that records its text. `screen` applies line feeds and the only escape supported: erase n lines upwards. */
class Terminal {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(isTTY: boolean, columns = 100) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
  }

  get screen(): string[] {
    const lines: string[] = [''];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what is read here
    for (const part of this.text.split(/(\x1b\[\d+A\x1b\[0J|\n)/)) {
      const up = /\[(\d+)A/.exec(part);
      if (up) lines.splice(-1 - Number(up[1]), Number(up[1]));
      else if (part === '\n') lines.push('');
      else lines[lines.length - 1] += stripVTControlCharacters(part);
    }
    return lines.slice(0, -1);
  }
}

const face = (frame: number, trackId = 1) => frameNumber(frame + 300, { trackId });
const status = {
  cameraId: 'lobby',
  state: 'LIVE',
  previous: 'CONNECTING',
  cause: 'x',
  detail: 'frames arrive',
  fps: 25,
};

const activation = {
  ...{ cameraId: 'lobby', trackId: 3, au: 'au12' as const, onset: 1e15, clockSource: 'rtcp' },
  ...{ peak: 0.912, duration: 1_240_000, reliability: null },
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a renderer', () => {
  test('redraws nothing while the terminal is behind', () => {
    const terminal = Object.assign(new Terminal(true), { behind: true });
    const renderer = new Renderer(terminal, { env: { NO_COLOR: '1' } });
    for (let frame = 0; frame < 50; frame += 1) {
      renderer.frame(face(frame));
      vi.advanceTimersByTime(200);
    }
    expect(terminal.text).toBe('');
    terminal.behind = false;
    vi.advanceTimersByTime(200);
    expect(terminal.screen).toHaveLength(1);
    renderer.close();
  });

  test('draws one line per face with 12 bars, redrawn in place on a terminal', () => {
    const terminal = new Terminal(true);
    const renderer = new Renderer(terminal, { env: {} });
    for (let frame = 0; frame < 50; frame += 1) {
      renderer.frame(face(frame, 1));
      renderer.frame(face(frame, 2));
      vi.advanceTimersByTime(40);
    }
    renderer.status(status);
    renderer.close();
    expect(terminal.screen).toHaveLength(3);
    expect(terminal.screen[0]).toBe('lobby LIVE: frames arrive');
    expect(terminal.screen[1]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} lobby\/1 +( (01|02|04|06|07|10|12|15|23|24|25|26)[ ▁-█]){12}$/,
    );
    expect(terminal.screen[2]).toMatch(/lobby\/2/);
    expect(terminal.text).toContain('\x1b[32m');
  });

  test('removes a face that receives no more frames', () => {
    const terminal = new Terminal(true);
    const renderer = new Renderer(terminal, { env: {} });
    renderer.frame(face(1));
    vi.advanceTimersByTime(10_000);
    expect(terminal.screen).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('prints one line a second, without escapes, when the output is not a terminal', () => {
    const file = new Terminal(false);
    const renderer = new Renderer(file, { env: {} });
    for (let frame = 0; frame < 75; frame += 1) {
      renderer.frame(face(frame));
      vi.advanceTimersByTime(40);
    }
    expect(file.text.split('\n')).toHaveLength(4);
    expect(stripVTControlCharacters(file.text)).toBe(file.text);
  });

  test('honours NO_COLOR', () => {
    const terminal = new Terminal(true);
    const renderer = new Renderer(terminal, { env: { NO_COLOR: '1' } });
    renderer.frame(face(1));
    renderer.close();
    expect(stripVTControlCharacters(terminal.text)).toBe(terminal.text);
  });

  for (const columns of [20, 40, 60, 76, 80, 200])
    test(`fits ${columns} columns`, () => {
      const renderer = new Renderer(new Terminal(true, columns), { color: false });
      const lines = [
        renderer.line(face(1)),
        renderer.line(frameNumber(1, { cameraId: 'a-camera-with-a-very-long-name-indeed' })),
        renderer.line({ ...face(1), quality: { score: 0, unreliable: 'too_blurred' } }),
      ];
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      expect(lines[0]!.match(/[ ▁-█]/g)!.length).toBeGreaterThanOrEqual(12);
    });

  test('shows why a face has no scores, and warns about an untrained model', () => {
    const file = new Terminal(false);
    const renderer = new Renderer(file, { env: {} });
    const model = { name: 'edge', version: '0', sha256: '', trained: false };
    renderer.frame({ ...face(1), model, quality: { score: 0, unreliable: 'too_small' } });
    expect(file.text).toContain('model edge is untrained: its scores mean nothing\n');
    expect(file.text).toMatch(/lobby\/1 +too small/);
  });

  test('prints activations', () => {
    const file = new Terminal(false);
    const renderer = new Renderer(file, { env: {} });
    renderer.activation({ ...activation, phase: 'ONSET', end: null });
    renderer.activation({ ...activation, phase: 'OFFSET', end: 'track_ended' });
    expect(file.text).toBe(
      '01:46:40.000 lobby/3 AU12 onset\n01:46:40.000 lobby/3 AU12 offset after 1.24 s, peak 0.91 (track ended)\n',
    );
  });
});

test('a bar shows a score in eighths', () => {
  expect([0, 0.07, 0.5, 0.99, 1, 2, -1].map(bar).join('|')).toBe(' |▁|▄|█|█|█| ');
});

test('what other programs wrote to Kafka cannot control the terminal', () => {
  for (const isTTY of [true, false]) {
    const terminal = new Terminal(isTTY);
    const renderer = new Renderer(terminal, { color: false });
    const attack = 'x\x1b[2J\x1b]52;c;cm0=\x07\x9b31m\u202ey\u2028\nlobby LIVE: forged';
    renderer.status({ ...status, cameraId: attack, detail: attack });
    renderer.frame({
      ...face(1),
      cameraId: attack,
      model: { ...face(1).model, name: attack, trained: false },
    });
    renderer.activation({ ...activation, cameraId: attack, phase: 'OFFSET', end: attack });
    renderer.note(attack);
    renderer.close();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the renderer's own escape, which erases lines
    const foreign = terminal.text.replace(/\x1b\[\d+A\x1b\[0J/g, '').replaceAll('\n', '');
    expect(foreign).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(terminal.text.split('\n').filter((line) => line.startsWith('lobby LIVE: forged'))).toEqual([]);
  }
});
