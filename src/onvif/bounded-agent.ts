import { Agent } from 'node:http';
import type { Socket } from 'node:net';

/** Far above any valid response; the library has no limit. */
const MAX_RESPONSE_BYTES = 2 ** 21;
const NAMESPACE = 'xmlns';
/** A namespace declaration is `xmlns:prefix="…"`. */
const MAX_DECLARATION_CHARS = 256;

/**
 * Connections to ONVIF devices, one per request. A response is cut off when it is too long, takes too long (a device
 * that sends a byte per second never idles), or would occupy the library's regular expression for hours.
 */
export class BoundedAgent extends Agent {
  readonly #lifetimeMs: number;

  constructor(lifetimeMs: number) {
    super();
    this.#lifetimeMs = lifetimeMs;
  }

  override createConnection(...args: Parameters<Agent['createConnection']>) {
    const socket = super.createConnection(...args) as Socket;
    const namespaces = new NamespaceCheck();
    let bytes = 0;
    // Before the HTTP client's own listener: what is refused here never reaches the library.
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_RESPONSE_BYTES) socket.destroy(new Error('the response is too long'));
      else if (!namespaces.accepts(chunk)) socket.destroy(new Error('the response is not XML'));
    });
    const timer = setTimeout(() => socket.destroy(new Error('Network timeout')), this.#lifetimeMs);
    socket.once('close', () => clearTimeout(timer));
    return socket;
  }
}

/**
 * The library removes namespaces by `/xmlns([^=]*?)=(".*?")/g`, which is quadratic in words `xmlns` without an equals
 * sign (CWE-1333). Here each must have one soon.
 */
export class NamespaceCheck {
  /** The end of the text so far, from a declaration that is not complete. */
  #open = '';

  accepts(chunk: Buffer): boolean {
    const text = this.#open + chunk.toString('latin1');
    this.#open = text.slice(-NAMESPACE.length + 1);
    for (let at = text.indexOf(NAMESPACE); at >= 0; at = text.indexOf(NAMESPACE, at + 1)) {
      const declaration = text.slice(at, at + MAX_DECLARATION_CHARS);
      if (declaration.includes('=')) continue;
      if (declaration.length === MAX_DECLARATION_CHARS) return false;
      this.#open = declaration;
      break;
    }
    return true;
  }
}
