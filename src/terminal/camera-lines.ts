import { styleText } from 'node:util';
import type { CameraStatus } from '../domain/camera-status.ts';
import { losses } from '../domain/loss-cause.ts';
import { printable, printableFields } from '../printable.ts';
import type { Screen } from './renderer.ts';

const REDRAW_MS = 250;
const COLORS = { LIVE: 'green', CONNECTING: 'cyan', PAUSED: 'dim', STOPPED: 'dim' } as const;

/** The terminal view of `austream run`: one line per camera, redrawn in place. */
export class CameraLines {
  readonly #screen: Screen;
  readonly #color: boolean;
  readonly #cameras = new Map<string, CameraStatus>();
  #drawnLines = 0;
  #redrawTimer: NodeJS.Timeout | undefined;

  constructor(screen: Screen, env: NodeJS.ProcessEnv = process.env) {
    this.#screen = screen;
    this.#color = !env.NO_COLOR;
  }

  status(status: CameraStatus): void {
    if (status.state === 'STOPPED' && status.cause === 'removed') this.#cameras.delete(status.cameraId);
    else this.#cameras.set(status.cameraId, status);
    this.#redrawTimer ??= setTimeout(() => this.#draw(), REDRAW_MS);
  }

  /** Prints a line above the cameras. */
  note(text: string): void {
    this.#erase();
    this.#screen.write(`${printable(text)}\n`);
    this.#draw();
  }

  /** Draws pending changes. Nothing may be drawn afterwards. */
  close(): void {
    this.#draw();
    clearTimeout(this.#redrawTimer);
  }

  /** State, frame rate, lag and losses of a camera in one line that fits the screen. */
  line(status: CameraStatus): string {
    const { cameraId, state, fps, lagMs, restarts, drops, detail } = printableFields(status);
    const lost = losses(drops).reduce((sum, [, count]) => sum + count, 0);
    const figures =
      state === 'LIVE'
        ? `${fps?.toFixed(1) ?? '–'} frames/s, ${lagMs ?? '–'} ms behind, ${lost} lost, ${restarts} restarts; `
        : '';
    const name = cameraId.padEnd(16);
    const room = Math.max(0, (this.#screen.columns ?? 100) - name.length - 14);
    const description = `${figures}${detail}`;
    const text = description.length > room ? `${description.slice(0, Math.max(0, room - 1))}…` : description;
    return `${name} ${this.#paint(state, state.padEnd(12))} ${text}`;
  }

  #draw(): void {
    clearTimeout(this.#redrawTimer);
    this.#redrawTimer = undefined;
    if (this.#screen.behind) {
      this.#redrawTimer = setTimeout(() => this.#draw(), REDRAW_MS);
      return;
    }
    this.#erase();
    for (const status of this.#cameras.values()) this.#screen.write(`${this.line(status)}\n`);
    this.#drawnLines = this.#cameras.size;
  }

  #erase(): void {
    if (this.#drawnLines > 0) this.#screen.write(`\x1b[${this.#drawnLines}A\x1b[0J`);
    this.#drawnLines = 0;
  }

  #paint(state: CameraStatus['state'], text: string): string {
    if (!this.#color) return text;
    return styleText(state in COLORS ? COLORS[state as keyof typeof COLORS] : 'yellow', text, {
      validateStream: false,
    });
  }
}
