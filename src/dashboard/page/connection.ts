import type { Hello, Update } from '../protocol.ts';
import { byId, setText } from './dom.ts';

/** Subscribes to the server's events; the browser connects again by itself, and everything begins anew then. */
export function connect(hello: (message: Hello) => void, update: (message: Update) => void): void {
  const status = byId<HTMLElement>('connection');
  const say = (text: string, ok: boolean) => {
    setText(status, text);
    status.dataset.ok = String(ok);
  };
  const source = new EventSource('/events');
  source.addEventListener('open', () => say('connected', true));
  source.addEventListener('error', () => {
    say(
      source.readyState === EventSource.CLOSED ? 'refused: reload the page' : 'connection lost, trying again',
      false,
    );
  });
  source.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data) as Hello | Update;
    if (message.type === 'hello') hello(message);
    else update(message);
  });
}
