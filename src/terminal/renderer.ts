import { styleText } from 'node:util';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../domain/event.ts';
import { AU_NAMES } from '../domain/scores.ts';
import { faceKey, trackKey } from '../domain/track-key.ts';

/** What the renderer draws to: process.stdout, or anything that takes text. */
export interface Screen {
  write(text: string): unknown;
  readonly columns?: number;
  readonly isTTY?: boolean;
}

/** The frame as a consumer has it. Enums may hold what a newer writer brought. */
export type ShownFrame = Pick<AuFrame, 'cameraId' | 'epoch' | 'trackId' | 'warmup' | 'aus'> & {
  readonly captureTime: number;
  readonly clockSource: string;
  readonly quality: { readonly score: number; readonly unreliable: string | null };
  readonly model: { readonly name: string; readonly version: string; readonly trained: boolean };
};
export type ShownActivation = Pick<
  AuActivation,
  'cameraId' | 'trackId' | 'onset' | 'peak' | 'duration' | 'reliability'
> & {
  readonly phase: string;
  readonly au: string;
  readonly clockSource: string;
  readonly end: string | null;
};
export type ShownStatus = Pick<CameraStatus, 'cameraId' | 'detail' | 'fps'> & {
  readonly state: string;
  readonly previous: string | null;
  readonly cause: string;
};

const BARS = ' ▁▂▃▄▅▆▇█';
/** Where lines cannot be redrawn, each face has one as often. */
const LINE_EVERY_MS = 1000;
const REDRAW_MS = 100;
const FACE_GONE_MS = 2000;
const DEFAULT_COLUMNS = 100;
/** Room for ` 01▁` of each AU; below, the bars stand without their numbers. */
const NUMBERED_COLUMNS = 76;

/** A score as one character, an eighth of a line's height per step. */
export function bar(p: number): string {
  return BARS[Math.max(0, Math.min(8, Math.round(p * 8)))]!;
}

/**
 * Shows events to a person: one line a face with the bars of its 12 AUs, redrawn in place on a terminal, else
 * printed once a second; activations and camera states as lines of their own. Colours where `color` says so.
 */
export class Renderer {
  readonly #screen: Screen;
  readonly #color: boolean;
  readonly #live: boolean;
  readonly #faces = new Map<string, { frame: ShownFrame; seen: number; printed: number }>();
  #drawn = 0;
  #lastDraw = 0;
  #redraw: NodeJS.Timeout | undefined;
  #warned = false;

  /** `color` defaults to what the terminal and NO_COLOR say; `live` (redraw in place) to whether it is one. */
  constructor(screen: Screen, options: { color?: boolean; live?: boolean; env?: NodeJS.ProcessEnv } = {}) {
    const env = options.env ?? process.env;
    this.#screen = screen;
    this.#color = options.color ?? (screen.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
    this.#live = options.live ?? (screen.isTTY === true && env.TERM !== 'dumb');
  }

  frame(frame: ShownFrame): void {
    if (!frame.model.trained && !this.#warned) {
      this.#warned = true;
      this.#say(this.#paint('yellow', `model ${frame.model.name} is untrained: its scores mean nothing`));
    }
    const now = Date.now();
    const key = trackKey(frame);
    const face = this.#faces.get(key) ?? { frame, seen: now, printed: 0 };
    this.#faces.set(key, { ...face, frame, seen: now });
    if (this.#live) this.#schedule();
    else if (now - face.printed >= LINE_EVERY_MS) {
      this.#faces.get(key)!.printed = now;
      this.#forget(now);
      this.#screen.write(`${this.line(frame)}\n`);
    }
  }

  activation(activation: ShownActivation): void {
    const { cameraId, trackId, au, phase, peak, duration, end } = activation;
    const name = `AU${au.slice(2)}`;
    const who = `${clock(activation.onset, activation.clockSource)} ${cameraId}/${trackId} ${name}`;
    const seconds = (duration / 1e6).toFixed(2);
    const why = end === null || end === 'below_threshold' ? '' : ` (${end.replaceAll('_', ' ')})`;
    this.#say(
      phase === 'ONSET'
        ? this.#paint('green', `${who} onset`)
        : this.#paint('dim', `${who} offset after ${seconds} s, peak ${peak.toFixed(2)}${why}`),
    );
  }

  /** Only a change of state is shown. */
  status(status: ShownStatus): void {
    if (status.state === status.previous) return;
    const color = status.state === 'LIVE' ? 'green' : status.state === 'CONNECTING' ? 'cyan' : 'yellow';
    this.#say(this.#paint(color, `${status.cameraId} ${status.state}: ${status.detail}`));
  }

  /** Any other line, above the faces. */
  note(text: string): void {
    this.#say(this.#paint('dim', text));
  }

  /** Draws what is still to be drawn; nothing may follow. */
  close(): void {
    clearTimeout(this.#redraw);
    if (this.#live && this.#faces.size > 0) this.#draw();
    this.#drawn = 0;
  }

  /** One face as one line that fits the screen. */
  line(frame: ShownFrame): string {
    const columns = this.#screen.columns ?? DEFAULT_COLUMNS;
    const numbered = columns >= NUMBERED_COLUMNS;
    const barsWidth = numbered ? 48 : 12;
    const face = faceKey(frame);
    const time = numbered ? `${clock(frame.captureTime, frame.clockSource)} ` : '';
    const room = Math.max(1, columns - barsWidth - time.length - 2);
    const name = toWidth(face, Math.min(room, numbered ? 16 : 24));
    const bars = frame.quality.unreliable
      ? this.#paint('dim', toWidth(` ${frame.quality.unreliable.replaceAll('_', ' ')}`, barsWidth))
      : AU_NAMES.map((au) => this.#bar(au, frame, numbered)).join('');
    const note = frame.warmup && !frame.quality.unreliable ? ' warming up' : '';
    const fits = time.length + name.length + 1 + barsWidth + note.length <= columns;
    return `${this.#paint('dim', time)}${name} ${bars}${fits ? this.#paint('dim', note) : ''}`;
  }

  #bar(au: (typeof AU_NAMES)[number], frame: ShownFrame, numbered: boolean): string {
    const state = frame.aus[au];
    const number = numbered ? ` ${au.slice(2)}` : '';
    const text = `${number}${state ? bar(state.p) : '·'}`;
    return this.#paint(state?.active ? 'green' : 'dim', text);
  }

  #say(text: string): void {
    if (!this.#live) {
      this.#screen.write(`${text}\n`);
      return;
    }
    this.#erase();
    this.#screen.write(`${text}\n`);
    this.#draw();
  }

  #schedule(): void {
    this.#redraw ??= setTimeout(
      () => {
        this.#redraw = undefined;
        this.#draw();
      },
      Math.max(0, REDRAW_MS - (Date.now() - this.#lastDraw)),
    );
  }

  #draw(): void {
    const now = Date.now();
    this.#lastDraw = now;
    this.#forget(now);
    const lines = [...this.#faces.entries()]
      .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
      .map(([, { frame }]) => `${this.line(frame)}\n`);
    this.#erase();
    this.#screen.write(lines.join(''));
    this.#drawn = lines.length;
    // A face that left disappears also when no other frame comes.
    if (lines.length > 0) this.#redraw ??= setTimeout(() => this.#expire(), FACE_GONE_MS).unref();
  }

  #expire(): void {
    this.#redraw = undefined;
    this.#draw();
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }

  #forget(now: number): void {
    for (const [key, { seen }] of this.#faces) if (now - seen > FACE_GONE_MS) this.#faces.delete(key);
  }

  #paint(style: Parameters<typeof styleText>[0], text: string): string {
    return this.#color && text ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** Pads or cuts to a width. */
function toWidth(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}

/** Time of day (UTC), or seconds since a file's start. */
function clock(micros: number, source: string): string {
  if (source === 'file') return `${(micros / 1e6).toFixed(3)} s`.padStart(12);
  return new Date(micros / 1000).toISOString().slice(11, 23);
}
