import { monotonicMs } from '../../clock.ts';
import type { Hello, Update } from '../protocol.ts';
import { request } from './session.ts';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** A connection without a byte for this long is given up, also one that looks open while the other end is gone. */
const SILENT_MS = 10_000;
const LOOK_MS = 500;

interface Listener {
  hello(message: Hello): void;
  update(message: Update): void;
  /** There is no connection now; another is tried. */
  lost(reason: string): void;
  /** The session has ended. `before` says whether this page had shown anything. */
  ended(before: boolean): void;
}

/**
 * Subscribes to the server's events, and again after a loss. Each connection starts with a `hello`. Not an EventSource:
 * that cannot send the session's key, and does not notice a connection that is silent.
 */
export async function connect(listener: Listener): Promise<void> {
  let greeted = false;
  let retryMs = FIRST_RETRY_MS;
  for (;;) {
    const silence = new SilenceWatch();
    const response = await request('/events', { signal: silence.signal }).catch(() => null);
    if (response?.status === 401) {
      silence.end();
      listener.ended(greeted);
      return;
    }
    if (response?.ok) {
      retryMs = FIRST_RETRY_MS;
      await readMessages(response.body!, silence, (message) => {
        greeted = true;
        if (message.type === 'hello') listener.hello(message);
        else listener.update(message);
      }).catch(() => {});
    }
    silence.end();
    listener.lost(response?.status === 503 ? 'too many pages are open' : 'connection lost');
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
  }
}

/** Aborts a request when nothing is heard for `SILENT_MS`. */
class SilenceWatch {
  readonly #abort = new AbortController();
  readonly signal = this.#abort.signal;
  #heardAt = monotonicMs();
  readonly #timer = setInterval(() => {
    if (monotonicMs() - this.#heardAt > SILENT_MS) this.#abort.abort();
  }, LOOK_MS);

  heard(): void {
    this.#heardAt = monotonicMs();
  }

  /** Ends the watch, and the request if it still runs. */
  end(): void {
    clearInterval(this.#timer);
    this.#abort.abort();
  }
}

/** Reads server-sent events; a message is one line of data, and a blank line ends it. */
async function readMessages(
  body: ReadableStream<Uint8Array>,
  silence: SilenceWatch,
  receive: (message: Hello | Update) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    silence.heard();
    text += decoder.decode(value, { stream: true });
    const events = text.split('\n\n');
    text = events.pop()!;
    for (const event of events) if (event.startsWith('data: ')) receive(JSON.parse(event.slice(6)));
  }
}
