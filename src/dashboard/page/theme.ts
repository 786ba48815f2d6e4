import { byId, cssColor } from './dom.ts';

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

/** Colours for canvases; read again when the theme changes. */
interface Palette {
  readonly muted: string;
  readonly line: string;
  readonly brow: string;
  readonly eye: string;
  readonly mouth: string;
  readonly good: string;
  readonly bad: string;
  readonly idle: string;
}

export let palette: Palette = readPalette();

/** Sets up the theme button; calls `onChange` after every change of colours, and once at the start. */
export function startTheme(onChange: () => void): void {
  const button = byId<HTMLButtonElement>('theme');
  let theme = (localStorage.getItem('theme') ?? 'auto') as Theme;
  const apply = () => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    palette = readPalette();
    onChange();
  };
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    localStorage.setItem('theme', theme);
    apply();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
  apply();
}

function readPalette(): Palette {
  const read = (name: keyof Palette) => cssColor(`--${name}`);
  return {
    muted: read('muted'),
    line: read('line'),
    brow: read('brow'),
    eye: read('eye'),
    mouth: read('mouth'),
    good: read('good'),
    bad: read('bad'),
    idle: read('idle'),
  };
}
