import { styleText } from 'node:util';
import { monotonicMs } from '../clock.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../domain/event.ts';
import { AU_NAMES } from '../domain/scores.ts';
import { faceKey, trackKey } from '../domain/track-key.ts';
import { printable, printableFields } from '../printable.ts';

/** Where the renderer draws: process.stdout, or a test's terminal. */
export interface Screen {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly isTTY?: boolean;
  /** The terminal has not shown yet what was written: nothing is redrawn meanwhile. */
  readonly behind?: boolean;
}

/** A frame as a consumer decodes it. Enums are strings: a newer producer may write symbols unknown here. */
export type RenderedFrame = Pick<AuFrame, 'cameraId' | 'epoch' | 'trackId' | 'warmup' | 'aus'> & {
  readonly captureTime: number;
  readonly clockSource: string;
  readonly quality: { readonly score: number; readonly unreliable: string | null };
  readonly model: { readonly name: string; readonly version: string; readonly trained: boolean };
};
export type RenderedActivation = Pick<
  AuActivation,
  'cameraId' | 'trackId' | 'onset' | 'peak' | 'duration' | 'reliability'
> & {
  readonly phase: string;
  readonly au: string;
  readonly clockSource: string;
  readonly end: string | null;
};
export type RenderedStatus = Pick<CameraStatus, 'cameraId' | 'detail' | 'fps'> & {
  readonly state: string;
  readonly previous: string | null;
  readonly cause: string;
};

const BARS = ' ▁▂▃▄▅▆▇█';
/** Without a terminal, each face is printed this often. */
const PRINT_INTERVAL_MS = 1000;
const REDRAW_MS = 100;
/** A face without a frame for this long disappears. */
const FACE_TIMEOUT_MS = 2000;
const DEFAULT_COLUMNS = 100;
/** Terminals narrower than this show the bars without AU numbers and time. */
const NUMBERED_COLUMNS = 76;

/** A score (0 … 1) as one block character, in eighths of a line's height. */
export function bar(p: number): string {
  return BARS[Math.max(0, Math.min(8, Math.round(p * 8)))]!;
}

/**
 * Renders events for a person; their texts come from Kafka and are made printable here. It shows one line per face with the bars of its 12 AUs, redrawn in place on a terminal, else
 * printed once a second. Activations and camera states are printed as separate lines.
 */
export class Renderer {
  readonly #screen: Screen;
  readonly #color: boolean;
  readonly #live: boolean;
  /** By track key; times in monotonic milliseconds. */
  readonly #faces = new Map<string, { frame: RenderedFrame; lastSeen: number; lastPrinted: number }>();
  #drawnLines = 0;
  #lastDraw = Number.NEGATIVE_INFINITY;
  #redrawTimer: NodeJS.Timeout | undefined;
  #warnedUntrained = false;

  /** `color` defaults to the terminal's support and NO_COLOR; `live` (redraw in place) to whether it is a terminal. */
  constructor(screen: Screen, options: { color?: boolean; live?: boolean; env?: NodeJS.ProcessEnv } = {}) {
    const env = options.env ?? process.env;
    this.#screen = screen;
    this.#color = options.color ?? (screen.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
    this.#live = options.live ?? (screen.isTTY === true && env.TERM !== 'dumb');
  }

  frame(received: RenderedFrame): void {
    const frame = printableFields(received);
    if (!frame.model.trained && !this.#warnedUntrained) {
      this.#warnedUntrained = true;
      this.#printLine(
        this.#paint('yellow', `model ${frame.model.name} is untrained: its scores mean nothing`),
      );
    }
    const now = monotonicMs();
    const key = trackKey(frame);
    const lastPrinted = this.#faces.get(key)?.lastPrinted ?? Number.NEGATIVE_INFINITY;
    this.#faces.set(key, { frame, lastSeen: now, lastPrinted });
    if (this.#live) this.#scheduleDraw();
    else if (now - lastPrinted >= PRINT_INTERVAL_MS) {
      this.#faces.get(key)!.lastPrinted = now;
      this.#removeStale(now);
      this.#screen.write(`${this.line(frame)}\n`);
    }
  }

  activation(activation: RenderedActivation): void {
    const { cameraId, trackId, au, phase, peak, duration, end } = printableFields(activation);
    const name = `AU${au.slice(2)}`;
    const prefix = `${formatTime(activation.onset, activation.clockSource)} ${cameraId}/${trackId} ${name}`;
    const seconds = (duration / 1e6).toFixed(2);
    const reason = end === null || end === 'below_threshold' ? '' : ` (${end.replaceAll('_', ' ')})`;
    this.#printLine(
      phase === 'ONSET'
        ? this.#paint('green', `${prefix} onset`)
        : this.#paint('dim', `${prefix} offset after ${seconds} s, peak ${peak.toFixed(2)}${reason}`),
    );
  }

  /** Prints changes of state; a repeated status prints nothing. */
  status(received: RenderedStatus): void {
    const status = printableFields(received);
    if (status.state === status.previous) return;
    const color = status.state === 'LIVE' ? 'green' : status.state === 'CONNECTING' ? 'cyan' : 'yellow';
    this.#printLine(this.#paint(color, `${status.cameraId} ${status.state}: ${status.detail}`));
  }

  /** Prints a line above the faces. */
  note(text: string): void {
    this.#printLine(this.#paint('dim', printable(text)));
  }

  /** Draws pending changes. Nothing may be drawn afterwards. */
  close(): void {
    if (this.#live && this.#faces.size > 0) this.#draw();
    clearTimeout(this.#redrawTimer);
    this.#drawnLines = 0;
  }

  /** One face in one line that fits the screen. */
  line(frame: RenderedFrame): string {
    const columns = this.#screen.columns ?? DEFAULT_COLUMNS;
    const numbered = columns >= NUMBERED_COLUMNS;
    const barsWidth = numbered ? 48 : 12;
    const face = faceKey(frame);
    const time = numbered ? `${formatTime(frame.captureTime, frame.clockSource)} ` : '';
    const room = Math.max(1, columns - barsWidth - time.length - 2);
    const name = toWidth(face, Math.min(room, numbered ? 16 : 24));
    const bars = frame.quality.unreliable
      ? this.#paint('dim', toWidth(` ${frame.quality.unreliable.replaceAll('_', ' ')}`, barsWidth))
      : AU_NAMES.map((au) => this.#bar(au, frame, numbered)).join('');
    const note = frame.warmup && !frame.quality.unreliable ? ' warming up' : '';
    const fits = time.length + name.length + 1 + barsWidth + note.length <= columns;
    return `${this.#paint('dim', time)}${name} ${bars}${fits ? this.#paint('dim', note) : ''}`;
  }

  #bar(au: (typeof AU_NAMES)[number], frame: RenderedFrame, numbered: boolean): string {
    const state = frame.aus[au];
    const number = numbered ? ` ${au.slice(2)}` : '';
    const text = `${number}${state ? bar(state.p) : '·'}`;
    return this.#paint(state?.active ? 'green' : 'dim', text);
  }

  #printLine(text: string): void {
    if (!this.#live) {
      this.#screen.write(`${text}\n`);
      return;
    }
    this.#erase();
    this.#screen.write(`${text}\n`);
    this.#draw();
  }

  #scheduleDraw(): void {
    this.#redrawTimer ??= setTimeout(
      () => {
        this.#redrawTimer = undefined;
        this.#draw();
      },
      Math.max(0, REDRAW_MS - (monotonicMs() - this.#lastDraw)),
    );
  }

  #draw(): void {
    const now = monotonicMs();
    this.#lastDraw = now;
    this.#removeStale(now);
    if (this.#screen.behind) {
      this.#scheduleDraw();
      return;
    }
    const lines = [...this.#faces.entries()]
      .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
      .map(([, { frame }]) => `${this.line(frame)}\n`);
    this.#erase();
    this.#screen.write(lines.join(''));
    this.#drawnLines = lines.length;
    // Removes stale faces even when no further frame arrives.
    if (lines.length > 0) this.#redrawTimer ??= setTimeout(() => this.#expire(), FACE_TIMEOUT_MS).unref();
  }

  #expire(): void {
    this.#redrawTimer = undefined;
    this.#draw();
  }

  #erase(): void {
    if (this.#drawnLines > 0) this.#screen.write(`\x1b[${this.#drawnLines}A\x1b[0J`);
    this.#drawnLines = 0;
  }

  #removeStale(now: number): void {
    for (const [key, { lastSeen }] of this.#faces)
      if (now - lastSeen > FACE_TIMEOUT_MS) this.#faces.delete(key);
  }

  #paint(style: Parameters<typeof styleText>[0], text: string): string {
    return this.#color && text ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** Pads or truncates to a width. */
function toWidth(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}

/** Time of day (UTC), or seconds since the start of a file. */
function formatTime(micros: number, source: string): string {
  if (source === 'file') return `${(micros / 1e6).toFixed(3)} s`.padStart(12);
  return new Date(micros / 1000).toISOString().slice(11, 23);
}
