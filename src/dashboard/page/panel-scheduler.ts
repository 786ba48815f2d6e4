import type { FacePanel } from './face-panel.ts';

/** An animation frame that takes longer than this was given too many curves. */
const LONG_FRAME_MS = 25;

/**
 * Draws the panels that are on the screen, in turns, as many in one animation frame as the machine keeps up with:
 * what a curve costs shows only in the time until the next frame, for the browser paints after the script. With many
 * faces each curve moves less often; the page itself does not stutter.
 */
export class Drawing {
  readonly #panels: FacePanel[] = [];
  readonly #byElement = new Map<Element, FacePanel>();
  #next = 0;
  /** Panels in one animation frame: one more for every ten frames in time, a quarter less for a late one. */
  #share = 2;
  #last = 0;
  readonly #sight = new IntersectionObserver(
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
    this.#sight.observe(panel.root);
    this.#size.observe(panel.root);
  }

  remove(panel: FacePanel): void {
    this.#panels.splice(this.#panels.indexOf(panel), 1);
    this.#byElement.delete(panel.root);
    this.#sight.unobserve(panel.root);
    this.#size.unobserve(panel.root);
  }

  draw(shown: number, span: number): void {
    const now = performance.now();
    const late = now - this.#last > LONG_FRAME_MS;
    this.#last = now;
    this.#share = late
      ? Math.max(1, this.#share * 0.75)
      : Math.min(this.#panels.length + 1, this.#share + 0.1);
    let left = Math.floor(this.#share);
    for (let n = 0; n < this.#panels.length && left > 0; n++) {
      this.#next = (this.#next + 1) % this.#panels.length;
      const panel = this.#panels[this.#next]!;
      if (!panel.visible) continue;
      panel.draw(shown, span);
      left -= 1;
    }
  }
}
