import type { FacePanel } from './face-panel.ts';

/** Time in one animation frame that curves may take; the rest is the browser's, so that the page stays at ease. */
const BUDGET_MS = 9;

/**
 * Draws the panels that are on the screen, in turns: when one animation frame is too short for all of them, the
 * others come first in the next one. With many faces each curve moves less often; the page itself never stutters.
 */
export class Drawing {
  readonly #panels: FacePanel[] = [];
  readonly #byElement = new Map<Element, FacePanel>();
  #next = 0;
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
    const until = performance.now() + BUDGET_MS;
    for (let n = 0; n < this.#panels.length; n++) {
      this.#next = (this.#next + 1) % this.#panels.length;
      const panel = this.#panels[this.#next]!;
      if (!panel.visible) continue;
      panel.draw(shown, span);
      if (performance.now() > until) return;
    }
  }
}
