import { monotonicMs } from '../../clock.ts';
import type { FacePanel } from './face-panel.ts';

/** An animation frame that takes longer than this had too many curves to draw. */
const LONG_FRAME_MS = 25;

/**
 * Draws the visible panels round robin, as many per animation frame as the machine can: with many faces each curve is
 * redrawn less often, and the page stays responsive. The budget follows the time between animation frames, since the
 * browser paints after the script.
 */
export class PanelScheduler {
  readonly #panels: FacePanel[] = [];
  readonly #byElement = new Map<Element, FacePanel>();
  #next = 0;
  /** Panels per animation frame: grows by 0.1 per frame, shrinks by a quarter after a long one. */
  #budget = 2;
  #lastFrame = 0;
  readonly #visibility = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const panel = this.#byElement.get(target);
        if (panel) panel.visible = isIntersecting;
      }
    },
    { rootMargin: '100px' },
  );
  readonly #size = new ResizeObserver((entries) => {
    for (const { target } of entries) this.#byElement.get(target)?.resize();
  });

  add(panel: FacePanel): void {
    this.#panels.push(panel);
    this.#byElement.set(panel.root, panel);
    this.#visibility.observe(panel.root);
    this.#size.observe(panel.root);
  }

  remove(panel: FacePanel): void {
    this.#panels.splice(this.#panels.indexOf(panel), 1);
    this.#byElement.delete(panel.root);
    this.#visibility.unobserve(panel.root);
    this.#size.unobserve(panel.root);
  }

  draw(shown: number, span: number): void {
    const now = monotonicMs();
    const late = now - this.#lastFrame > LONG_FRAME_MS;
    this.#lastFrame = now;
    this.#budget = late
      ? Math.max(1, this.#budget * 0.75)
      : Math.min(this.#panels.length + 1, this.#budget + 0.1);
    let left = Math.floor(this.#budget);
    for (let n = 0; n < this.#panels.length && left > 0; n++) {
      this.#next = (this.#next + 1) % this.#panels.length;
      const panel = this.#panels[this.#next]!;
      if (!panel.visible) continue;
      panel.draw(shown, span);
      left -= 1;
    }
  }
}
