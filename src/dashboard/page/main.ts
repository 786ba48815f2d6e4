import { monotonicMs } from '../../clock.ts';
import 'uplot/dist/uPlot.min.css';
import type { Hello, Update } from '../protocol.ts';
import { CameraCard } from './camera-card.ts';
import { CameraDialogs } from './camera-dialogs.ts';
import { connect } from './connection.ts';
import { ConnectionStatus } from './connection-status.ts';
import { byId } from './dom.ts';
import { FaceStore } from './face-store.ts';
import { PanelScheduler } from './panel-scheduler.ts';
import { showPerson } from './person.ts';
import { Playhead } from './playhead.ts';
import { takeKeyFromAddress } from './session.ts';
import { startTheme } from './theme.ts';
import { Timeline } from './timeline.ts';

const cards = new Map<string, CameraCard>();
const playhead = new Playhead();
const connection = new ConnectionStatus(playhead);
const scheduler = new PanelScheduler();
const dialogs = new CameraDialogs();
let faces: FaceStore | undefined;
let hello: Hello | undefined;
let timeline: Timeline | undefined;
let caughtUp = false;

takeKeyFromAddress();
void connect({
  hello(message) {
    if (hello) {
      // A reconnection: the server may have restarted with another config.
      location.reload();
      return;
    }
    hello = message;
    playhead.observe(message.now, 0);
    connection.connected();
    showPerson(message.person);
    faces = new FaceStore(message.actionUnits.length, message.historySeconds);
    timeline = new Timeline(
      message.historySeconds,
      () => playhead.serverNow,
      (time) => playhead.hold(time),
    );
  },
  update(update) {
    if (faces) applyUpdate(update, faces);
  },
  lost: (reason) => connection.lost(reason),
  ended(before) {
    connection.ended();
    // What is no longer allowed is no longer shown.
    for (const id of [...cards.keys()]) removeCard(id);
    byId('empty').hidden = true;
    if (before) byId<HTMLDialogElement>('ended').showModal();
    else location.replace('/login');
  },
});

function applyUpdate({ now, cameras, removed, faces: samples }: Update, store: FaceStore): void {
  const late = samples.map((face) => store.push(face, now));
  // The first update also holds faces that left long ago, whose age is not lateness.
  playhead.observe(now, Math.max(0, ...(caughtUp ? late : [])));
  caughtUp = true;
  for (const id of removed) removeCard(id);
  for (const view of cameras) {
    const card = cards.get(view.id);
    if (!card) {
      const created = new CameraCard(view, hello!, () => dialogs.confirmRemoval(view.id));
      cards.set(view.id, created);
      byId('empty').hidden = true;
      byId('cameras').append(created.root);
      announce(created.announcement);
      continue;
    }
    const previous = card.view.state;
    card.update(view);
    if (previous !== view.state) announce(card.announcement);
  }
}

/** Removes a camera from the page. */
function removeCard(id: string): void {
  const card = cards.get(id);
  if (!card) return;
  cards.delete(id);
  for (const panel of card.panels.values()) scheduler.remove(panel);
  // Keeps the keyboard focus on the page.
  const hadFocus = card.root.contains(document.activeElement);
  card.root.remove();
  byId('empty').hidden = cards.size > 0;
  if (hadFocus) byId('cameras').focus();
  announce(`${id} was removed`);
}

function announce(text: string): void {
  byId('announcements').textContent = text;
}

const span = byId<HTMLSelectElement>('span');

startTheme(() => {
  for (const card of cards.values()) card.recolor();
});

/** Cards, face boxes and the timeline are updated at this interval; curves as often as time allows. */
const LAYOUT_MS = 250;
let layoutAt = 0;

function animate(): void {
  requestAnimationFrame(animate);
  if (!faces || !timeline) return;
  playhead.tick();
  const { shown } = playhead;
  if (monotonicMs() - layoutAt > LAYOUT_MS) {
    layoutAt = monotonicMs();
    connection.show();
    const { live } = connection;
    for (const card of cards.values()) {
      const inSight = faces.inSight(card.view.id, shown);
      card.showFaces(
        inSight,
        (panel) => scheduler.add(panel),
        (panel) => scheduler.remove(panel),
      );
      card.showAge(live ? null : connection.asOf);
      card.drawFaceBoxes(inSight, live && playhead.live);
    }
    timeline.draw(
      [...cards.values()].map(({ view }) => view),
      faces,
      { now: playhead.serverNow, known: playhead.known, shown, live: live && playhead.live },
    );
  }
  scheduler.draw(shown, Number(span.value) * 1_000);
}
requestAnimationFrame(animate);
