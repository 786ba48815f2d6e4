import 'uplot/dist/uPlot.min.css';
import type { Hello, Update } from '../protocol.ts';
import { CameraCard } from './camera-card.ts';
import { CameraChanges } from './camera-dialogs.ts';
import { Playhead } from './playhead.ts';
import { connect } from './connection.ts';
import { byId } from './dom.ts';
import { Drawing } from './panel-scheduler.ts';
import { Faces } from './face-store.ts';
import { startTheme } from './theme.ts';
import { Timeline } from './timeline.ts';

const cards = new Map<string, CameraCard>();
const playhead = new Playhead();
const drawing = new Drawing();
const changes = new CameraChanges();
let faces: Faces | undefined;
let hello: Hello | undefined;
let timeline: Timeline | undefined;
let held: number | null = null;
let caughtUp = false;

connect(
  (message) => {
    if (hello) {
      // The server may be another one by now: what the page knows may not fit.
      location.reload();
      return;
    }
    hello = message;
    faces = new Faces(message.actionUnits.length, message.historySeconds);
    timeline = new Timeline(
      message.historySeconds,
      () => playhead.serverNow,
      (time) => {
        held = time;
        playhead.hold(time);
      },
    );
  },
  (update) => {
    if (faces) take(update, faces);
  },
);

function take({ now, cameras, removed, faces: samples }: Update, known: Faces): void {
  const late = samples.map((face) => known.push(face, now));
  // The first update holds faces that left long ago, too: they say nothing of how late scores come.
  playhead.heard(now, Math.max(0, ...(caughtUp ? late : [])));
  caughtUp = true;
  for (const id of removed) drop(id);
  for (const view of cameras) {
    const card = cards.get(view.id);
    if (!card) {
      const made = new CameraCard(view, hello!, () => changes.ask(view.id));
      cards.set(view.id, made);
      byId('empty').hidden = true;
      byId('cameras').append(made.root);
      announce(made.words);
      continue;
    }
    const before = card.view.state;
    card.update(view);
    if (before !== view.state) announce(card.words);
  }
}

/** Takes a camera off the page. */
function drop(id: string): void {
  const card = cards.get(id);
  if (!card) return;
  cards.delete(id);
  for (const panel of card.panels.values()) drawing.remove(panel);
  // Whoever is at it with the keyboard must not be left nowhere.
  const here = card.root.contains(document.activeElement);
  card.root.remove();
  byId('empty').hidden = cards.size > 0;
  if (here) byId('cameras').focus();
  announce(`${id} was removed`);
}

function announce(words: string): void {
  byId('announcements').textContent = words;
}

const span = byId<HTMLSelectElement>('span');

startTheme(() => {
  for (const card of cards.values()) card.recolor();
});

/** Cards, scenes and timeline change their make-up this often; curves are drawn as often as there is time. */
const LAYOUT_MS = 250;
let layoutAt = 0;

function animate(): void {
  requestAnimationFrame(animate);
  if (!faces || !timeline) return;
  playhead.tick();
  const { shown } = playhead;
  if (performance.now() - layoutAt > LAYOUT_MS) {
    layoutAt = performance.now();
    for (const card of cards.values()) {
      const inSight = faces.inSight(card.view.id, shown);
      card.show(
        inSight,
        (panel) => drawing.add(panel),
        (panel) => drawing.remove(panel),
      );
      card.drawScene(playhead.live ? inSight : null);
    }
    timeline.draw(
      [...cards.values()].map(({ view }) => view),
      faces,
      playhead.serverNow,
      shown,
      held !== null,
    );
  }
  drawing.draw(shown, Number(span.value) * 1_000);
}
requestAnimationFrame(animate);
