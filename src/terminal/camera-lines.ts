import { styleText } from 'node:util';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { Screen } from './renderer.ts';

const REDRAW_MS = 250;
const COLOURS = { LIVE: 'green', CONNECTING: 'cyan', STOPPED: 'dim' } as const;

/** One line a camera, redrawn in place: what someone who started `austream run` in a terminal wants to see. */
export class CameraLines {
  readonly #screen: Screen;
  readonly #color: boolean;
  readonly #cameras = new Map<string, CameraStatus>();
  #drawn = 0;
  #redraw: NodeJS.Timeout | undefined;

  constructor(screen: Screen, env: NodeJS.ProcessEnv = process.env) {
    this.#screen = screen;
    this.#color = !env.NO_COLOR;
  }

  status(status: CameraStatus): void {
    if (status.state === 'STOPPED' && status.cause === 'removed') this.#cameras.delete(status.cameraId);
    else this.#cameras.set(status.cameraId, status);
    this.#redraw ??= setTimeout(() => this.#draw(), REDRAW_MS);
  }

  /** Any other line, above the cameras. */
  note(text: string): void {
    this.#erase();
    this.#screen.write(`${text}\n`);
    this.#draw();
  }

  /** Draws what is still to be drawn; nothing may follow. */
  close(): void {
    clearTimeout(this.#redraw);
    this.#draw();
  }

  /** State, rate, lag and losses of a camera, in one line that fits the screen. */
  line(status: CameraStatus): string {
    const { cameraId, state, fps, lagMs, restarts, drops, detail } = status;
    const { analysis_fps: _thinned, ...losses } = drops;
    const lost = Object.values(losses).reduce((sum, count) => sum + count, 0);
    const figures =
      state === 'LIVE'
        ? `${fps?.toFixed(1) ?? '–'} frames/s, ${lagMs ?? '–'} ms behind, ${lost} lost, ${restarts} restarts; `
        : '';
    const name = cameraId.padEnd(16);
    const room = Math.max(0, (this.#screen.columns ?? 100) - name.length - 14);
    const rest = `${figures}${detail.split('\n', 1)[0]}`;
    const text = rest.length > room ? `${rest.slice(0, Math.max(0, room - 1))}…` : rest;
    return `${name} ${this.#paint(state, state.padEnd(12))} ${text}`;
  }

  #draw(): void {
    clearTimeout(this.#redraw);
    this.#redraw = undefined;
    this.#erase();
    for (const status of this.#cameras.values()) this.#screen.write(`${this.line(status)}\n`);
    this.#drawn = this.#cameras.size;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }

  #paint(state: CameraStatus['state'], text: string): string {
    if (!this.#color) return text;
    return styleText(state in COLOURS ? COLOURS[state as keyof typeof COLOURS] : 'yellow', text, {
      validateStream: false,
    });
  }
}
