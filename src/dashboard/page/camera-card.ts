import type { CameraView, Hello } from '../protocol.ts';
import { element, fitCanvas, setText } from './dom.ts';
import { FacePanel } from './face-panel.ts';
import type { Face } from './face-store.ts';
import { Scene } from './face-boxes.ts';
import { palette } from './theme.ts';

const STATES: Readonly<Record<CameraView['state'], { word: string; mark: string; mood: string }>> = {
  CONNECTING: { word: 'connecting', mark: '◌', mood: 'idle' },
  LIVE: { word: 'live', mark: '●', mood: 'good' },
  STALLED: { word: 'stalled', mark: '▲', mood: 'bad' },
  RECONNECTING: { word: 'reconnecting', mark: '▲', mood: 'bad' },
  REFUSED: { word: 'refused', mark: '✕', mood: 'bad' },
  STOPPED: { word: 'stopped', mark: '■', mood: 'idle' },
};

const FACTS = ['frames/s', 'lag', 'faces', 'lost', 'restarts'] as const;

/** One camera: its state, its figures, where its faces are, and a panel per face. */
export class CameraCard {
  readonly root: HTMLElement;
  readonly panels = new Map<string, FacePanel>();
  view: CameraView;
  readonly #hello: Hello;
  readonly #state = element('span', 'state');
  readonly #detail = element('p', 'detail');
  readonly #facts = new Map<string, HTMLElement>();
  readonly #lag = element('canvas', 'sparkline');
  readonly #scene: Scene;
  readonly #faces = element('div', 'faces');
  readonly #none = element('p', 'none', 'No face in sight.');

  /** `remove` asks for the camera to go. */
  constructor(view: CameraView, hello: Hello, remove: () => void) {
    this.view = view;
    this.#hello = hello;
    this.#scene = new Scene(view.id, hello.showVideo);
    const title = element('h2', '', view.id);
    title.id = `camera-${view.id}`;
    this.#lag.setAttribute('role', 'img');
    this.#lag.setAttribute('aria-label', 'Lag over the last minute');
    const facts = element('dl', 'facts', ...FACTS.map((name) => this.#fact(name)));
    const about = element('div', 'about', facts, this.#lag, this.#scene.root);
    this.#faces.append(this.#none);
    const button = element('button', 'remove', 'Remove');
    button.type = 'button';
    button.setAttribute('aria-label', `Remove ${view.id}`);
    button.addEventListener('click', remove);
    this.root = element(
      'section',
      'camera',
      element('header', '', title, this.#state, this.#detail, button),
      element('div', 'camera-body', about, this.#faces),
    );
    this.root.setAttribute('aria-labelledby', title.id);
    this.update(view);
  }

  /** In words, for the announcement of a change. */
  get words(): string {
    return `${this.view.id} is ${STATES[this.view.state].word}: ${this.view.detail}`;
  }

  update(view: CameraView): void {
    this.view = view;
    const { word, mark, mood } = STATES[view.state];
    this.root.dataset.state = view.state;
    this.root.dataset.mood = mood;
    setText(this.#state, `${mark} ${word}`);
    setText(this.#detail, mood === 'good' ? '' : view.detail);
    // What the config thins out is not lost.
    const lost = Object.entries(view.drops).filter(([cause, count]) => cause !== 'analysis_fps' && count > 0);
    const lag = view.lag.at(-1);
    this.#set('frames/s', view.fps === null || mood !== 'good' ? '–' : view.fps.toFixed(1));
    this.#set('lag', lag == null || mood !== 'good' ? '–' : `${(lag / 1_000).toFixed(2)} s`);
    this.#set('lost', String(lost.reduce((sum, [, count]) => sum + count, 0)));
    this.#facts.get('lost')!.title = lost.map(([cause, count]) => `${cause}: ${count}`).join('\n');
    this.#set('restarts', String(view.restarts));
    this.#drawLag();
  }

  /** Panels of the faces in sight; `added` and `removed` learn which came and went. */
  show(faces: readonly Face[], added: (panel: FacePanel) => void, removed: (panel: FacePanel) => void): void {
    const keys = new Set(faces.map(({ newest }) => newest.key));
    for (const [key, panel] of this.panels) {
      if (keys.has(key)) continue;
      removed(panel);
      panel.remove();
      this.panels.delete(key);
    }
    const fresh = faces.filter(({ newest }) => !this.panels.has(newest.key));
    for (const face of fresh) this.panels.set(face.newest.key, new FacePanel(face, this.#hello));
    if (fresh.length > 0) this.#faces.append(...faces.map(({ newest }) => this.panels.get(newest.key)!.root));
    for (const { newest } of fresh) added(this.panels.get(newest.key)!);
    this.#none.hidden = faces.length > 0;
    this.#faces.classList.toggle('many', faces.length > 2);
    this.root.classList.toggle('vacant', faces.length === 0);
    this.#set('faces', String(faces.length));
  }

  /** Where faces are now: boxes have no history (null). */
  drawScene(faces: readonly Face[] | null): void {
    this.#scene.draw(this.view.width ?? 16, this.view.height ?? 9, faces);
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
    // The line runs below its words.
    const label = 15 * devicePixelRatio;
    ctx.clearRect(0, 0, width, height);
    ctx.strokeStyle = palette.idle;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.lineJoin = 'round';
    ctx.beginPath();
    let broken = true;
    lag.forEach((value, index) => {
      const x = width - ((lag.length - 1 - index) / 59) * width;
      if (value !== null)
        ctx[broken ? 'moveTo' : 'lineTo'](x, height - 2 - (value / top) * (height - 4 - label));
      broken = value === null;
    });
    ctx.stroke();
    ctx.fillStyle = palette.muted;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.fillText(`lag, last minute (to ${(top / 1_000).toFixed(0)} s)`, 0, 11 * devicePixelRatio);
  }
}
