import { monotonicMs } from '../../clock.ts';
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
/** Numbers and texts are updated at most this often, so that they can be read. */
const TEXT_INTERVAL_MS = 200;
/** Quality and its reason are known for the newest sample only; they are hidden for moments older than this. */
const QUALITY_MAX_AGE_MS = 10_000;

/** Gives each panel's heading a unique id. */
let lastPanelId = 0;

/** One face: its curves, its muscle diagram, and its active AUs as text. */
export class FacePanel {
  readonly root: HTMLElement;
  readonly face: Face;
  /** On or near the screen; other panels are not drawn. */
  visible = false;
  readonly #hello: Hello;
  readonly #muscles: MuscleDiagram;
  readonly #plotArea = element('div', 'plot');
  readonly #values: HTMLElement[] = [];
  readonly #rows: HTMLElement[] = [];
  readonly #badge = element('span', 'badge');
  readonly #quality = element('span', 'quality');
  readonly #summary = element('p', 'summary');
  #curves: Curves | undefined;
  #textUpdatedAt = 0;

  constructor(face: Face, hello: Hello) {
    this.face = face;
    this.#hello = hello;
    this.#muscles = new MuscleDiagram(hello.actionUnits);
    const title = element('h3', '', `Face ${face.newest.trackId}`);
    title.id = `face-${++lastPanelId}`;
    const labels = element('ol', 'labels', ...hello.actionUnits.map((au) => this.#label(au)));
    this.#plotArea.setAttribute('role', 'img');
    this.#plotArea.setAttribute('aria-label', `Scores of Face ${face.newest.trackId} over time`);
    const muscles = element('figure', 'muscles', this.#muscles.svg);
    this.root = element(
      'article',
      'face',
      element('header', '', title, this.#badge, this.#quality),
      element('div', 'face-body', muscles, element('div', 'curves', labels, this.#plotArea)),
      this.#summary,
    );
    this.root.setAttribute('aria-labelledby', title.id);
  }

  /** Draws the `span` ms that end at `shown` (ms on the server's clock). */
  draw(shown: number, span: number): void {
    this.#curves ??= new Curves(this.#plotArea, this.#hello.actionUnits, this.#hello.thresholds);
    this.#curves.draw(this.face, shown - span, shown);
    const now = monotonicMs();
    if (now - this.#textUpdatedAt < TEXT_INTERVAL_MS) return;
    this.#textUpdatedAt = now;
    this.#updateText(shown);
  }

  resize(): void {
    this.#curves?.resize(this.#plotArea.clientWidth);
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

  /** Shows the newest sample not later than `shown`: numbers, muscles and texts. */
  #updateText(shown: number): void {
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
    const recent = shown > history.time(history.pushed - 1) - QUALITY_MAX_AGE_MS;
    const badge = !recent
      ? ''
      : newest.unreliable
        ? REASONS[newest.unreliable]!
        : newest.warmup
          ? 'warming up'
          : '';
    setText(this.#badge, badge);
    this.#badge.hidden = badge === '';
    this.root.classList.toggle('unreliable', recent && newest.unreliable !== null);
    setText(this.#quality, recent ? `quality ${newest.quality.toFixed(2)}` : '');
  }
}
