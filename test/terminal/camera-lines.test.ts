import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CameraStatus } from '../../src/domain/camera-status.ts';
import { CameraLines } from '../../src/terminal/camera-lines.ts';

const LIVE: CameraStatus = {
  cameraId: 'lobby',
  at: 1,
  state: 'LIVE',
  since: 1,
  previous: 'CONNECTING',
  cause: 'first_frame',
  detail: '640×360 h264, timed by the camera’s clock',
  epoch: 1,
  worker: null,
  restarts: 2,
  width: 640,
  height: 360,
  codec: 'h264',
  fps: 24.96,
  analysisFps: 30,
  lagMs: 41,
  clockErrorMs: null,
  driftPpm: null,
  drops: { analysis_slow: 3, too_old: 1, analysis_fps: 900 },
  gap: null,
};

/** Camera lines on a screen of this width, and what they write to it. */
function onScreen(columns: number) {
  const written: string[] = [];
  return {
    written,
    cameraLines: new CameraLines({ write: (text) => written.push(text), columns }, { NO_COLOR: '1' }),
  };
}

describe('CameraLines', () => {
  it('shows state, frame rate, lag and losses of a live camera', () => {
    expect(onScreen(120).cameraLines.line(LIVE)).toMatch(
      /^lobby +LIVE +25\.0 frames\/s, 41 ms behind, 4 lost, 2 restarts; 640×360 h264/,
    );
  });

  it('shows why a camera is not live, and fits narrow terminals', () => {
    const unreachable: CameraStatus = {
      ...LIVE,
      state: 'RECONNECTING',
      detail: 'no answer from 192.0.2.1\nsecond line',
    };
    expect(onScreen(100).cameraLines.line(unreachable)).toMatch(
      /^lobby +RECONNECTING no answer from 192\.0\.2\.1 second line$/,
    );
    for (const columns of [40, 60, 80])
      expect(onScreen(columns).cameraLines.line(LIVE).length).toBeLessThanOrEqual(columns);
  });

  it('redraws in place, and drops a removed camera', () => {
    const { written, cameraLines } = onScreen(80);
    cameraLines.status(LIVE);
    cameraLines.status({ ...LIVE, cameraId: 'door' });
    cameraLines.close();
    expect(written.join('').match(/lobby|door/g)).toEqual(['lobby', 'door']);
    const before = written.length;
    cameraLines.status({ ...LIVE, cameraId: 'door', state: 'STOPPED', cause: 'removed' });
    cameraLines.note('the broker is unreachable');
    const [erased, note, ...rest] = written.slice(before);
    expect(erased).toBe('\x1b[2A\x1b[0J');
    expect(note).toBe('the broker is unreachable\n');
    expect(rest.join('')).toMatch(/^lobby/);
    expect(rest.join('')).not.toContain('door');
    cameraLines.close();
  });

  it('redraws nothing while the terminal is behind', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const written: string[] = [];
    const screen = { write: (text: string) => written.push(text), columns: 80, behind: true };
    const cameraLines = new CameraLines(screen, { NO_COLOR: '1' });
    for (let n = 0; n < 100; n++) {
      cameraLines.status(LIVE);
      vi.advanceTimersByTime(1_000);
    }
    expect(written).toEqual([]);
    screen.behind = false;
    vi.advanceTimersByTime(1_000);
    expect(written.join('')).toMatch(/^lobby.*\n$/);
    cameraLines.close();
  });
});
