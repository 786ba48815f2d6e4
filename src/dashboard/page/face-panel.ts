import { ACTION_UNIT_FACTS } from '../../domain/facs.ts';
import { NO_SCORE } from '../history.ts';
import type { Hello } from '../protocol.ts';
import { Curves } from './curves.ts';
import { element, setText } from './dom.ts';
import type { Face } from './face-store.ts';
import { MuscleDiagram } from './muscle-diagram.ts';

const REASONS: Readonly<Record<string, string>> = {
  too_small: 'too small to score',
  too_turned: 'turned away: not scored',
  too_blurred: 'too blurred to score',
  corrupt_video: 'damaged video: not scored',
};
/** Numbers and words change this often at most: faster could not be read. */
const TEXT_MS = 200;
/** Quality and its reasons are those of the newest sample: they say nothing of an older moment. */
const PRESENT_MS = 10_000;

let panels = 0;

/** One face: its curves, its muscles, and in words what is active. */
export class FacePanel {
  readonly root: HTMLElement;
  readonly face: Face;
  /** Near the screen: only then is it worth drawing. */
  visible = false;
  readonly #hello: Hello;
  readonly #muscles: MuscleDiagram;
  readonly #place = element('div', 'plot');
  readonly #values: HTMLElement[] = [];
  readonly #rows: HTMLElement[] = [];
  readonly #badge = element('span', 'badge');
  readonly #quality = element('span', 'quality');
  readonly #summary = element('p', 'summary');
  #curves: Curves | undefined;
  #textAt = 0;

  constructor(face: Face, hello: Hello) {
    this.face = face;
    this.#hello = hello;
    this.#muscles = new MuscleDiagram(hello.actionUnits);
    const title = element('h3', '', `Face ${face.newest.trackId}`);
    title.id = `face-${++panels}`;
    const labels = element('ol', 'labels', ...hello.actionUnits.map((au) => this.#label(au)));
    this.#place.setAttribute('role', 'img');
    this.#place.setAttribute('aria-label', `Scores of Face ${face.newest.trackId} over time`);
    const muscles = element('figure', 'muscles', this.#muscles.svg);
    this.root = element(
      'article',
      'face',
      element('header', '', title, this.#badge, this.#quality),
      element('div', 'face-body', muscles, element('div', 'curves', labels, this.#place)),
      this.#summary,
    );
    this.root.setAttribute('aria-labelledby', title.id);
  }

  /** Draws the moment `shown`, and `span` ms before it. */
  draw(shown: number, span: number): void {
    this.#curves ??= new Curves(this.#place, this.#hello.actionUnits, this.#hello.thresholds);
    this.#curves.draw(this.face, shown - span, shown);
    const now = performance.now();
    if (now - this.#textAt < TEXT_MS) return;
    this.#textAt = now;
    this.#describe(shown);
  }

  resize(): void {
    this.#curves?.resize(this.#place.clientWidth);
  }

  recolor(): void {
    this.#curves?.redraw();
  }

  remove(): void {
    this.#curves?.destroy();
    this.root.remove();
  }

  #label(au: number): HTMLElement {
    const facts = ACTION_UNIT_FACTS[au]!;
    const value = element('span', 'value', '–');
    const row = element(
      'li',
      facts.region,
      element('b', '', `AU${au}`),
      element('span', 'name', facts.name),
      value,
    );
    row.title = `AU${au} ${facts.name}: ${facts.muscle}`;
    this.#values.push(value);
    this.#rows.push(row);
    return row;
  }

  /** The scores of the newest sample not after `shown`, as numbers, muscles and words. */
  #describe(shown: number): void {
    const { history, newest } = this.face;
    const sample = history.firstSince(shown + 0.5) - 1;
    const known = sample >= history.oldest;
    const active = known ? history.active(sample) : 0;
    const scores = this.#hello.actionUnits.map((_, au) => {
      const score = known ? history.smoothed(sample, au) : NO_SCORE;
      return score === NO_SCORE ? Number.NaN : score / 1_000;
    });
    scores.forEach((score, au) => {
      setText(this.#values[au]!, Number.isNaN(score) ? '–' : score.toFixed(2));
      this.#rows[au]!.classList.toggle('active', (active & (1 << au)) !== 0);
    });
    this.#muscles.show(scores, active);
    const names = this.#hello.actionUnits.flatMap((au, index) =>
      active & (1 << index) ? [`${ACTION_UNIT_FACTS[au]!.name} (${au})`] : [],
    );
    setText(this.#summary, names.length > 0 ? `Active: ${names.join(', ')}` : 'Active: none');
    const present = shown > history.time(history.pushed - 1) - PRESENT_MS;
    const badge = !present
      ? ''
      : newest.unreliable
        ? REASONS[newest.unreliable]!
        : newest.warmup
          ? 'warming up'
          : '';
    setText(this.#badge, badge);
    this.#badge.hidden = badge === '';
    this.root.classList.toggle('unreliable', present && newest.unreliable !== null);
    setText(this.#quality, present ? `quality ${newest.quality.toFixed(2)}` : '');
  }
}
