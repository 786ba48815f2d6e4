import type { Hello, Update } from '../protocol.ts';
import { byId, setText } from './dom.ts';
import { request } from './session.ts';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;

interface Listener {
  hello(message: Hello): void;
  update(message: Update): void;
  /** The session has ended. `before` says whether this page had shown anything. */
  ended(before: boolean): void;
}

/**
 * Subscribes to the server's events, and again after a loss. Each connection starts with a `hello`. Not an EventSource:
 * that cannot send the session's key.
 */
export async function connect(listener: Listener): Promise<void> {
  let greeted = false;
  let retryMs = FIRST_RETRY_MS;
  for (;;) {
    const response = await request('/events').catch(() => null);
    if (response?.status === 401) {
      showStatus('signed out', false);
      listener.ended(greeted);
      return;
    }
    if (response?.ok) {
      showStatus('connected', true);
      retryMs = FIRST_RETRY_MS;
      await readMessages(response.body!, (message) => {
        greeted = true;
        if (message.type === 'hello') listener.hello(message);
        else listener.update(message);
      }).catch(() => {});
    }
    showStatus(
      response?.status === 503 ? 'too many pages are open, trying again' : 'connection lost, trying again',
      false,
    );
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
  }
}

/** Reads server-sent events; a message is one line of data, and a blank line ends it. */
async function readMessages(
  body: ReadableStream<Uint8Array>,
  receive: (message: Hello | Update) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const events = text.split('\n\n');
    text = events.pop()!;
    for (const event of events) if (event.startsWith('data: ')) receive(JSON.parse(event.slice(6)));
  }
}

function showStatus(text: string, ok: boolean): void {
  const status = byId<HTMLElement>('connection');
  setText(status, text);
  status.dataset.ok = String(ok);
}
