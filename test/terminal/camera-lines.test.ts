import { describe, expect, it } from 'vitest';
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

function lines(columns: number) {
  const written: string[] = [];
  return {
    written,
    lines: new CameraLines({ write: (text) => written.push(text), columns }, { NO_COLOR: '1' }),
  };
}

describe('CameraLines', () => {
  it('says state, rate, lag and losses of a live camera', () => {
    expect(lines(120).lines.line(LIVE)).toMatch(
      /^lobby +LIVE +25\.0 frames\/s, 41 ms behind, 4 lost, 2 restarts; 640×360 h264/,
    );
  });

  it('says why a camera is not live, and fits narrow terminals', () => {
    const away: CameraStatus = {
      ...LIVE,
      state: 'RECONNECTING',
      detail: 'nobody answers at 192.0.2.1\nsecond line',
    };
    expect(lines(100).lines.line(away)).toMatch(/^lobby +RECONNECTING nobody answers at 192\.0\.2\.1$/);
    for (const columns of [40, 60, 80])
      expect(lines(columns).lines.line(LIVE).length).toBeLessThanOrEqual(columns);
  });

  it('redraws in place, and forgets a camera that was removed', () => {
    const { written, lines: shown } = lines(80);
    shown.status(LIVE);
    shown.status({ ...LIVE, cameraId: 'door' });
    shown.close();
    expect(written.join('').match(/lobby|door/g)).toEqual(['lobby', 'door']);
    const before = written.length;
    shown.status({ ...LIVE, cameraId: 'door', state: 'STOPPED', cause: 'removed' });
    shown.note('the broker is away');
    const [erased, note, ...rest] = written.slice(before);
    expect(erased).toBe('\x1b[2A\x1b[0J');
    expect(note).toBe('the broker is away\n');
    expect(rest.join('')).toMatch(/^lobby/);
    expect(rest.join('')).not.toContain('door');
    shown.close();
  });
});
