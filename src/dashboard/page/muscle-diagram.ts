import { ACTION_UNIT_FACTS } from '../../domain/facs.ts';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * The muscle of each Action Unit on a schematic frontal face of 200×250. `half` shapes are drawn on the viewer's right
 * and mirrored.
 */
const MUSCLES: Readonly<Record<number, { half: boolean; d: string }>> = {
  1: { half: true, d: 'M101 33C108 31 115 32 120 35L122 76C115 77 108 79 101 83Z' },
  2: { half: true, d: 'M123 36C137 39 149 47 157 60L153 81C145 75 135 74 125 75Z' },
  4: { half: true, d: 'M101 88C108 83 118 80 129 79L130 86C120 88 110 93 103 102Z' },
  6: {
    half: true,
    d: 'M104 105a30 24 0 1 0 60 0a30 24 0 1 0-60 0ZM115 105a19 13.5 0 1 1 38 0a19 13.5 0 1 1-38 0Z',
  },
  7: {
    half: true,
    d: 'M117 105a17 12 0 1 0 34 0a17 12 0 1 0-34 0ZM121 105a13 7.5 0 1 1 26 0a13 7.5 0 1 1-26 0Z',
  },
  10: { half: true, d: 'M111 130L127 132C124 144 119 155 115 163L106 161C108 151 110 141 111 130Z' },
  12: { half: true, d: 'M153 129L164 138C153 152 142 164 130 177L124 170C134 158 143 144 153 129Z' },
  15: { half: true, d: 'M126 184L133 181C140 191 143 203 140 213L120 221C123 208 125 196 126 184Z' },
  23: {
    half: false,
    d: 'M66 178a34 20 0 1 0 68 0a34 20 0 1 0-68 0ZM73 178a27 14 0 1 1 54 0a27 14 0 1 1-54 0Z',
  },
  24: {
    half: false,
    d: 'M75 178a25 12.5 0 1 0 50 0a25 12.5 0 1 0-50 0ZM80 178a20 5 0 1 1 40 0a20 5 0 1 1-40 0Z',
  },
  25: { half: true, d: 'M102 200L118 197C119 206 118 214 116 222L102 225Z' },
  26: {
    half: true,
    d: 'M161 146C167 146 171 142 172 135C173 160 164 187 149 206L142 199C153 184 159 166 161 146Z',
  },
};

const OUTLINE =
  'M100 10C152 10 179 50 176 110C174 166 150 208 124 231C112 240 88 240 76 231C50 208 26 166 24 110C21 50 48 10 100 10Z';

/** A face whose muscles light up with the scores; brows, lids and lips move a little with them. */
export class MuscleDiagram {
  readonly svg: SVGSVGElement;
  readonly #muscles: { au: number; group: SVGGElement }[];
  readonly #mouth = path('feature');
  readonly #brows = [path('brow-line'), path('brow-line')];
  readonly #eyes = [path('feature'), path('feature')];
  #shown = '';

  constructor(actionUnits: readonly number[]) {
    this.svg = document.createElementNS(SVG, 'svg');
    this.svg.setAttribute('viewBox', '12 4 176 240');
    this.svg.setAttribute('role', 'img');
    this.svg.setAttribute('aria-label', 'Facial muscles by activation');
    this.#muscles = actionUnits.flatMap((au) => {
      const shape = MUSCLES[au];
      return shape ? [{ au, group: muscleGroup(au, shape) }] : [];
    });
    this.svg.append(
      path('outline', OUTLINE),
      ...this.#muscles.map(({ group }) => group),
      path('feature', 'M100 104C98 122 92 138 90 146C94 152 106 152 110 146'),
      ...this.#eyes,
      ...this.#brows,
      this.#mouth,
    );
  }

  /** `scores`: smoothed, 0…1, NaN if missing; `active`: bit i for AU i of the vector. */
  show(scores: readonly number[], active: number): void {
    const key = `${active} ${scores.map((score) => (Number.isNaN(score) ? 'x' : Math.round(score * 50)))}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const levels: Record<number, number> = {};
    this.#muscles.forEach(({ au, group }, index) => {
      const score = scores[index]!;
      levels[au] = Number.isNaN(score) ? 0 : score;
      group.style.setProperty('--level', String(levels[au]));
      group.classList.toggle('active', (active & (1 << index)) !== 0);
    });
    this.#moveFeatures((au) => levels[au] ?? 0);
  }

  #moveFeatures(au: (number: number) => number): void {
    const inner = 89 - 8 * au(1) + 5 * au(4);
    const outer = 88 - 7 * au(2) + 3 * au(4);
    const arch = (inner + outer) / 2 - 9 - 2 * au(2);
    const lid = Math.max(1.5, 6.5 - 2 * au(6) - 2.5 * au(7) + au(2));
    for (const [index, side] of [1, -1].entries()) {
      const x = (offset: number) => 100 + side * offset;
      this.#brows[index]!.setAttribute('d', `M${x(14)} ${inner}Q${x(32)} ${arch} ${x(54)} ${outer}`);
      this.#eyes[index]!.setAttribute(
        'd',
        `M${x(21)} 105Q${x(34)} ${105 - 2 * lid} ${x(47)} 105Q${x(34)} ${105 + 1.6 * lid} ${x(21)} 105Z`,
      );
    }
    const half = 21 + 4 * au(12) - 3 * au(23) - au(24);
    const corner = 178 - 7 * au(12) + 6 * au(15);
    const open = 1 + 5 * au(25) + 14 * au(26);
    const upper = 176 - 4 * au(10) - 0.3 * open;
    this.#mouth.setAttribute(
      'd',
      `M${100 - half} ${corner}Q100 ${upper} ${100 + half} ${corner}Q100 ${180 + open * 1.4} ${100 - half} ${corner}Z`,
    );
  }
}

function muscleGroup(au: number, shape: { half: boolean; d: string }): SVGGElement {
  const facts = ACTION_UNIT_FACTS[au]!;
  const group = document.createElementNS(SVG, 'g');
  group.setAttribute('class', `muscle ${facts.region}`);
  const title = document.createElementNS(SVG, 'title');
  title.textContent = `AU${au} ${facts.name}: ${facts.muscle}`;
  group.append(title, path('', shape.d));
  if (shape.half) {
    const mirrored = path('', shape.d);
    mirrored.setAttribute('transform', 'translate(200 0) scale(-1 1)');
    group.append(mirrored);
  }
  return group;
}

function path(className: string, d = ''): SVGPathElement {
  const node = document.createElementNS(SVG, 'path');
  if (className) node.setAttribute('class', className);
  node.setAttribute('d', d);
  return node;
}
