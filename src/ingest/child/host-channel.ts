import { Socket } from 'node:net';
import { LineDecoder, sendLine } from '../protocol/channel.ts';
import { MESSAGES_FD, type ToChild, type ToHost } from '../protocol/messages.ts';

/** The camera process's end of the messages to and from its host. */
export class HostChannel {
  readonly #socket = new Socket({ fd: MESSAGES_FD, readable: true, writable: true });
  #receive: (message: ToChild) => void = () => {};

  /** `onGone`: the host is gone. */
  constructor(onGone: () => void) {
    // The host is trusted: no bound.
    const lines = new LineDecoder(Number.POSITIVE_INFINITY);
    this.#socket.on('data', (chunk: Buffer) => {
      for (const message of lines.push(chunk)) this.#receive(message as ToChild);
    });
    this.#socket.on('error', onGone).on('end', onGone).on('close', onGone);
  }

  /** Replaces the receiver of messages. */
  onMessage(receive: (message: ToChild) => void): void {
    this.#receive = receive;
  }

  /** Resolves when the message has left this process. */
  send(message: ToHost): Promise<void> {
    return new Promise((resolve) => sendLine(this.#socket, message, resolve));
  }
}
