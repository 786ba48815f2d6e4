import type { CameraView } from '../protocol.ts';
import { byId, clockTime, element, fitCanvas, setText } from './dom.ts';
import type { FaceStore } from './face-store.ts';
import { palette } from './theme.ts';

const ROW_PX = 10;
const STATE_COLORS: Readonly<Record<CameraView['state'], 'good' | 'bad' | 'idle'>> = {
  CONNECTING: 'idle',
  LIVE: 'good',
  STALLED: 'bad',
  RECONNECTING: 'bad',
  REFUSED: 'bad',
  PAUSED: 'idle',
  STOPPED: 'idle',
};

/** The last minutes of every camera, one band each, with the slider that goes back in time, and the list of gaps. */
export class Timeline {
  readonly #canvas = byId<HTMLCanvasElement>('bands');
  readonly #slider = byId<HTMLInputElement>('scrub');
  readonly #live = byId<HTMLButtonElement>('live');
  readonly #shown = byId<HTMLOutputElement>('shown');
  readonly #gaps = byId<HTMLDetailsElement>('gaps');
  readonly #seconds: number;

  /** `onSeek` gets the moment to show, ms on the server's clock, or null for live. */
  constructor(seconds: number, serverNow: () => number, onSeek: (time: number | null) => void) {
    this.#seconds = seconds;
    this.#slider.min = String(-seconds);
    const goLive = () => {
      this.#slider.value = '0';
      onSeek(null);
    };
    this.#slider.addEventListener('input', () => {
      const back = Number(this.#slider.value);
      if (back >= 0) goLive();
      else onSeek(serverNow() + back * 1_000);
    });
    this.#live.addEventListener('click', goLive);
  }

  /**
   * `now`, `shown`: server time and the moment shown, ms. `known`: the end of what is known of the cameras. `live`: nobody
   * stopped at `shown`, and the page is connected.
   */
  draw(
    cameras: readonly CameraView[],
    faces: FaceStore,
    { now, known, shown, live }: { now: number; known: number; shown: number; live: boolean },
  ): void {
    this.#live.setAttribute('aria-pressed', String(live));
    this.#slider.value = live ? '0' : String((shown - now) / 1_000);
    const behind = (now - shown) / 1_000;
    const label = live
      ? `live, ${behind.toFixed(1)} s behind`
      : `${clockTime(shown)}, ${Math.round(behind)} s ago`;
    setText(this.#shown, label);
    this.#slider.setAttribute('aria-valuetext', label);
    this.#canvas.style.height = `${Math.max(1, cameras.length) * ROW_PX}px`;
    if (fitCanvas(this.#canvas)) this.#drawBands(cameras, faces, now, known);
    this.#listGaps(cameras);
  }

  #drawBands(cameras: readonly CameraView[], faces: FaceStore, now: number, known: number): void {
    const ctx = this.#canvas.getContext('2d')!;
    const { width, height } = this.#canvas;
    const row = ROW_PX * devicePixelRatio;
    const x = (time: number) => Math.max(0, width * (1 - (now - time) / (this.#seconds * 1_000)));
    ctx.clearRect(0, 0, width, height);
    cameras.forEach((camera, index) => {
      const y = index * row;
      camera.states.forEach(({ from, state }, order) => {
        const to = camera.states[order + 1]?.from ?? known;
        ctx.fillStyle = palette[STATE_COLORS[state]];
        ctx.globalAlpha = state === 'LIVE' ? 0.3 : 0.85;
        ctx.fillRect(x(from), y + row * 0.15, Math.max(1, x(to) - x(from)), row * 0.7);
      });
      ctx.globalAlpha = 1;
      ctx.fillStyle = palette.bad;
      for (const gap of camera.gaps)
        ctx.fillRect(x(gap.from), y + row * 0.15, Math.max(2, x(gap.to) - x(gap.from)), row * 0.7);
      ctx.fillStyle = palette.good;
      for (const { newest, history } of faces.all()) {
        if (newest.cameraId !== camera.id) continue;
        const from = x(history.time(history.oldest));
        ctx.fillRect(from, y + row * 0.42, x(history.time(history.pushed - 1)) - from, row * 0.16);
      }
    });
  }

  #listGaps(cameras: readonly CameraView[]): void {
    const gaps = cameras
      .flatMap(({ id, gaps }) => gaps.map((gap) => ({ id, ...gap })))
      .sort((a, b) => b.from - a.from);
    setText(this.#gaps.querySelector('summary')!, `Gaps: ${gaps.length === 0 ? 'none' : gaps.length}`);
    const body = this.#gaps.querySelector('tbody')!;
    const key = gaps.map(({ id, from }) => `${id}${from}`).join();
    if (body.dataset.key === key) return;
    body.dataset.key = key;
    body.replaceChildren(
      ...gaps.map(({ id, from, to, cause }) =>
        element(
          'tr',
          '',
          ...[id, clockTime(from), ((to - from) / 1_000).toFixed(1), cause].map((cell) =>
            element('td', '', cell),
          ),
        ),
      ),
    );
  }
}
