import uPlot from 'uplot';
import { ACTION_UNIT_FACTS } from '../../domain/facs.ts';
import { NO_SCORE } from '../history.ts';
import { clockTime } from './dom.ts';
import type { Face } from './face-store.ts';
import { palette } from './theme.ts';

/** Height of one AU's lane in CSS pixels; must equal that of its label (`.labels li`). */
const LANE_PX = 20;
const AXIS_PX = 20;
/** A gap between samples longer than this breaks the line. */
const GAP_MS = 1_000;
/** CSS pixels per point of a curve; more points would not be visible. */
const POINT_PX = 1.5;

/** The AU curves of one face: a lane each, raw faint, smoothed strong, threshold dashed, activations as bands. */
export class Curves {
  readonly #aus: readonly number[];
  readonly #thresholds: readonly number[];
  readonly #plot: uPlot;
  #face: Face | undefined;
  /** Samples and time range of the data that uPlot has. */
  #plotted = { pushed: -1, from: 0, to: 0 };
  #from = 0;
  #to = 1;

  constructor(parent: HTMLElement, aus: readonly number[], thresholds: readonly number[]) {
    this.#aus = aus;
    this.#thresholds = thresholds;
    const width = Math.max(120, parent.clientWidth);
    const color = (au: number) => () => palette[ACTION_UNIT_FACTS[au]!.region];
    const series = (alpha: number, thickness: number): uPlot.Series[] =>
      aus.map((au) => ({
        stroke: color(au),
        alpha,
        width: thickness,
        points: { show: false },
        pxAlign: 0,
      }));
    this.#plot = new uPlot(
      {
        width,
        height: aus.length * LANE_PX + AXIS_PX,
        padding: [0, 0, 0, 0],
        pxAlign: 0,
        legend: { show: false },
        cursor: { show: false },
        ms: 1,
        scales: { x: { time: false, auto: false }, y: { auto: false, range: [0, aus.length] } },
        axes: [
          {
            size: AXIS_PX,
            font: '11px system-ui, sans-serif',
            stroke: () => palette.muted,
            grid: { stroke: () => palette.line, width: 1 },
            ticks: { show: false },
            space: 70,
            incrs: [1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000],
            values: (plot, splits) => splits.map((time) => tickLabel(plot, time)),
          },
          { show: false },
        ],
        series: [{}, ...series(0.38, 1), ...series(1, 1.75)],
        hooks: { drawClear: [() => this.#drawBackground()] },
      },
      [[], ...aus.map(() => []), ...aus.map(() => [])] as unknown as uPlot.AlignedData,
      parent,
    );
  }

  /** Draws the face from `from` to `to`, ms on the server's clock. */
  draw(face: Face, from: number, to: number): void {
    this.#face = face;
    this.#from = from;
    this.#to = to;
    const { pushed } = face.history;
    const plotted = this.#plotted;
    this.#plot.batch(() => {
      if (plotted.pushed !== pushed || from < plotted.from || to > plotted.to) {
        // A margin around the visible range: the view can move on without new data.
        this.#plotted = { pushed, from: from - 500, to: to + 2_000 };
        this.#plot.setData(this.#data(face, this.#plotted.from, this.#plotted.to), false);
      }
      this.#plot.setScale('x', { min: from, max: to });
    });
  }

  resize(width: number): void {
    if (width > 0 && width !== this.#plot.width)
      this.#plot.setSize({ width, height: this.#aus.length * LANE_PX + AXIS_PX });
  }

  /** Redraws after a change of colours. */
  redraw(): void {
    this.#plot.redraw(false, true);
  }

  destroy(): void {
    this.#plot.destroy();
  }

  #data({ history }: Face, from: number, to: number): uPlot.AlignedData {
    const first = Math.max(history.oldest, history.firstSince(from) - 1);
    const last = Math.min(history.pushed - 1, history.firstSince(to));
    const step = Math.max(1, Math.ceil(((last - first) * POINT_PX) / this.#plot.width));
    const times: number[] = [];
    const columns: (number | null)[][] = Array.from({ length: 2 * this.#aus.length }, () => []);
    let previous = Number.NaN;
    // Picks multiples of the step, so that the same samples are drawn while the window moves.
    for (let sample = Math.ceil(first / step) * step; sample <= last; sample += step) {
      const time = history.time(sample);
      // Thinned samples are further apart: about 40 ms for each one that is left out.
      if (time - previous > GAP_MS + step * 40) {
        times.push(previous + 1);
        for (const column of columns) column.push(null);
      }
      times.push(time);
      previous = time;
      this.#aus.forEach((_, au) => {
        columns[au]!.push(this.#lane(au, history.raw(sample, au)));
        columns[this.#aus.length + au]!.push(this.#lane(au, history.smoothed(sample, au)));
      });
    }
    return [times, ...columns] as uPlot.AlignedData;
  }

  /** The y value of a score (thousandths) in its lane, which has a margin of 6 %; the first AU has the top lane. */
  #lane(au: number, score: number): number | null {
    return score === NO_SCORE ? null : this.#aus.length - 1 - au + 0.06 + 0.00088 * score;
  }

  /** Draws lanes, activation bands and thresholds below the curves. */
  #drawBackground(): void {
    const { ctx, bbox } = this.#plot;
    const y = (value: number) => Math.round(this.#plot.valToPos(value, 'y', true)) + 0.5;
    ctx.save();
    ctx.lineWidth = 1;
    this.#aus.forEach((au, index) => {
      const color = palette[ACTION_UNIT_FACTS[au]!.region];
      const bottom = this.#aus.length - 1 - index;
      ctx.fillStyle = color;
      ctx.globalAlpha = 0.2;
      for (const [from, to] of this.#activations(index))
        ctx.fillRect(from, y(bottom + 1), Math.max(1, to - from), y(bottom) - y(bottom + 1));
      ctx.globalAlpha = 1;
      ctx.strokeStyle = palette.line;
      ctx.setLineDash([]);
      line(ctx, bbox.left, bbox.width, y(bottom));
      ctx.strokeStyle = palette.muted;
      ctx.globalAlpha = 0.55;
      ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
      line(ctx, bbox.left, bbox.width, y(this.#lane(index, 1_000 * this.#thresholds[index]!)!));
      ctx.globalAlpha = 1;
    });
    ctx.restore();
  }

  /** The activations of an AU in the visible range, in canvas pixels. */
  *#activations(au: number): Generator<[number, number]> {
    const { history } = this.#face ?? {};
    if (!history) return;
    const x = (time: number) =>
      this.#plot.valToPos(Math.min(this.#to, Math.max(this.#from, time)), 'x', true);
    let onset: number | null = null;
    let previous = 0;
    for (let sample = history.firstSince(this.#from); sample < history.pushed; sample++) {
      const time = history.time(sample);
      if (time > this.#to) break;
      const active = (history.active(sample) & (1 << au)) !== 0;
      if (onset !== null && (!active || time - previous > GAP_MS)) {
        yield [x(onset), x(previous)];
        onset = null;
      }
      if (active && onset === null) onset = time;
      previous = time;
    }
    if (onset !== null) yield [x(onset), x(previous)];
  }
}

/** Empty near the edges, where the label would be cut off. */
function tickLabel(plot: uPlot, time: number): string {
  const x = plot.valToPos(time, 'x');
  return x < 30 || x > plot.width - 30 ? '' : clockTime(time);
}

function line(ctx: CanvasRenderingContext2D, left: number, width: number, y: number): void {
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(left + width, y);
  ctx.stroke();
}
