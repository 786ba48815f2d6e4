import type { Hello, Update } from '../protocol.ts';
import { byId, setText } from './dom.ts';

/** Subscribes to the server's events. The browser reconnects by itself; each connection starts with a `hello`. */
export function connect(onHello: (message: Hello) => void, onUpdate: (message: Update) => void): void {
  const status = byId<HTMLElement>('connection');
  const showStatus = (text: string, ok: boolean) => {
    setText(status, text);
    status.dataset.ok = String(ok);
  };
  const source = new EventSource('/events');
  source.addEventListener('open', () => showStatus('connected', true));
  source.addEventListener('error', () => {
    showStatus(
      source.readyState === EventSource.CLOSED ? 'refused: reload the page' : 'connection lost, trying again',
      false,
    );
  });
  source.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data) as Hello | Update;
    if (message.type === 'hello') onHello(message);
    else onUpdate(message);
  });
}
