import { losses } from '../../domain/loss-cause.ts';
import type { CameraView, Hello } from '../protocol.ts';
import { change } from './camera-dialogs.ts';
import { element, fitCanvas, setText } from './dom.ts';
import { FaceBoxes } from './face-boxes.ts';
import { FacePanel } from './face-panel.ts';
import type { Face } from './face-store.ts';
import { palette } from './theme.ts';

const STATES: Readonly<Record<CameraView['state'], { label: string; symbol: string; severity: string }>> = {
  CONNECTING: { label: 'connecting', symbol: '◌', severity: 'idle' },
  LIVE: { label: 'live', symbol: '●', severity: 'good' },
  STALLED: { label: 'stalled', symbol: '▲', severity: 'bad' },
  RECONNECTING: { label: 'reconnecting', symbol: '▲', severity: 'bad' },
  REFUSED: { label: 'refused', symbol: '✕', severity: 'bad' },
  PAUSED: { label: 'paused', symbol: '‖', severity: 'idle' },
  STOPPED: { label: 'stopped', symbol: '■', severity: 'idle' },
};

/** What a camera is while the page is not connected. */
const UNKNOWN = { symbol: '?', severity: 'unknown' };

/** Width of the lag sparkline. */
const LAG_SECONDS = 60;

const FACTS = ['frames/s', 'lag', 'faces', 'lost', 'restarts'] as const;

/** One camera: its state, its figures, the boxes of its faces, and a panel per face. */
export class CameraCard {
  readonly root: HTMLElement;
  readonly panels = new Map<string, FacePanel>();
  view: CameraView;
  /** Time of day of `view` while the page is not live; null: it is. */
  #asOf: string | null = null;
  readonly #hello: Hello;
  readonly #state = element('span', 'state');
  readonly #detail = element('p', 'detail');
  readonly #facts = new Map<string, HTMLElement>();
  readonly #pause = element('button', 'pause operate');
  readonly #lag = element('canvas', 'sparkline');
  readonly #boxes: FaceBoxes;
  readonly #faces = element('div', 'faces');
  readonly #noFaces = element('p', 'no-face-hint', 'No face in sight.');

  /** `onRemove` is called when the user clicks Remove. */
  constructor(view: CameraView, hello: Hello, onRemove: () => void) {
    this.view = view;
    this.#hello = hello;
    this.#boxes = new FaceBoxes(view.id, hello.showVideo);
    const title = element('h2', '', view.id);
    title.id = `camera-${view.id}`;
    this.#lag.setAttribute('role', 'img');
    this.#lag.setAttribute('aria-label', 'Lag over the last minute');
    const facts = element('dl', 'facts', ...FACTS.map((name) => this.#fact(name)));
    const about = element('div', 'about', facts, this.#lag, this.#boxes.root);
    this.#faces.append(this.#noFaces);
    const button = element('button', 'remove operate', 'Remove');
    button.type = 'button';
    button.setAttribute('aria-label', `Remove ${view.id}`);
    button.addEventListener('click', onRemove);
    this.#pause.type = 'button';
    this.#pause.addEventListener('click', () => void this.#togglePause());
    this.root = element(
      'section',
      'camera',
      element('header', '', title, this.#state, this.#detail, this.#pause, button),
      element('div', 'camera-body', about, this.#faces),
    );
    this.root.setAttribute('aria-labelledby', title.id);
    this.update(view);
  }

  /** Text for screen readers when the state changes. */
  get announcement(): string {
    return `${this.view.id} is ${STATES[this.view.state].label}: ${this.view.detail}`;
  }

  update(view: CameraView): void {
    // A change of the config comes with a change of state.
    if (view !== this.view && view.state !== this.view.state) void this.#boxes.loadAreas();
    this.view = view;
    this.#show();
  }

  /** `asOf`: time of day of what is shown, if the page is not live. */
  showAge(asOf: string | null): void {
    if (asOf === this.#asOf) return;
    this.#asOf = asOf;
    this.#show();
  }

  #show(): void {
    const { view } = this;
    const action = this.#isPausedByOperator ? 'Resume' : 'Pause';
    setText(this.#pause, action);
    this.#pause.setAttribute('aria-label', `${action} ${view.id}`);
    const { label } = STATES[view.state];
    const { symbol, severity } = this.#asOf === null ? STATES[view.state] : UNKNOWN;
    this.root.dataset.state = this.#asOf === null ? view.state : 'UNKNOWN';
    this.root.dataset.severity = severity;
    setText(this.#state, this.#asOf === null ? `${symbol} ${label}` : `${symbol} unknown`);
    const detail = severity === 'good' ? '' : view.detail;
    setText(this.#detail, this.#asOf === null ? detail : `was ${label} at ${this.#asOf}`);
    const lost = losses(view.drops);
    const lag = view.lag.at(-1);
    this.#set('frames/s', view.fps === null || severity !== 'good' ? '–' : view.fps.toFixed(1));
    this.#set('lag', lag == null || severity !== 'good' ? '–' : `${(lag / 1_000).toFixed(2)} s`);
    this.#set('lost', String(lost.reduce((sum, [, count]) => sum + count, 0)));
    this.#facts.get('lost')!.title = lost.map(([cause, count]) => `${cause}: ${count}`).join('\n');
    this.#set('restarts', String(view.restarts));
    this.#drawLag();
  }

  /** Shows a panel per face in sight; calls `onAdded` and `onRemoved` for each panel that changed. */
  showFaces(
    faces: readonly Face[],
    onAdded: (panel: FacePanel) => void,
    onRemoved: (panel: FacePanel) => void,
  ): void {
    const keys = new Set(faces.map(({ newest }) => newest.key));
    for (const [key, panel] of this.panels) {
      if (keys.has(key)) continue;
      onRemoved(panel);
      panel.remove();
      this.panels.delete(key);
    }
    const newFaces = faces.filter(({ newest }) => !this.panels.has(newest.key));
    for (const face of newFaces) this.panels.set(face.newest.key, new FacePanel(face, this.#hello));
    if (newFaces.length > 0)
      this.#faces.append(...faces.map(({ newest }) => this.panels.get(newest.key)!.root));
    for (const { newest } of newFaces) onAdded(this.panels.get(newest.key)!);
    this.#noFaces.hidden = faces.length > 0;
    this.#faces.classList.toggle('many', faces.length > 2);
    this.root.classList.toggle('no-faces', faces.length === 0);
    this.#set('faces', String(faces.length));
  }

  /** Draws the boxes of the faces; or none, if `live` is false, since boxes have no history. */
  drawFaceBoxes(faces: readonly Face[], live: boolean): void {
    this.#boxes.draw(this.view.width ?? 16, this.view.height ?? 9, live ? faces : null);
  }

  get #isPausedByOperator(): boolean {
    return this.view.state === 'PAUSED' && this.view.cause === 'operator';
  }

  async #togglePause(): Promise<void> {
    this.#pause.disabled = true;
    const action = this.#isPausedByOperator ? 'resume' : 'pause';
    const error = await change('POST', `/cameras/${encodeURIComponent(this.view.id)}/${action}`);
    this.#pause.disabled = false;
    if (error) setText(this.#detail, error.error ?? '');
  }

  recolor(): void {
    this.#drawLag();
    for (const panel of this.panels.values()) panel.recolor();
  }

  #fact(name: string): HTMLElement {
    const value = element('dd', '', '–');
    this.#facts.set(name, value);
    return element('div', '', element('dt', '', name), value);
  }

  #set(name: (typeof FACTS)[number], text: string): void {
    setText(this.#facts.get(name)!, text);
  }

  #drawLag(): void {
    if (!fitCanvas(this.#lag)) return;
    const { width, height } = this.#lag;
    const ctx = this.#lag.getContext('2d')!;
    const { lag } = this.view;
    const top = Math.max(2_000, ...lag.map((value) => Math.ceil((value ?? 0) / 1_000) * 1_000));
    // Keeps the line below the label.
    const labelHeight = 15 * devicePixelRatio;
    ctx.clearRect(0, 0, width, height);
    ctx.strokeStyle = palette.idle;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.lineJoin = 'round';
    ctx.beginPath();
    let penUp = true;
    lag.forEach((value, index) => {
      const x = width - ((lag.length - 1 - index) / (LAG_SECONDS - 1)) * width;
      if (value !== null)
        ctx[penUp ? 'moveTo' : 'lineTo'](x, height - 2 - (value / top) * (height - 4 - labelHeight));
      penUp = value === null;
    });
    ctx.stroke();
    ctx.fillStyle = palette.muted;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.fillText(`lag, last minute (to ${(top / 1_000).toFixed(0)} s)`, 0, 11 * devicePixelRatio);
  }
}
