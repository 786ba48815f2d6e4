import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { Kafka } from 'kafkajs';

/** What kafkajs 2.2.4 keeps of a connection: bytes of answers that are not complete. */
interface Connection {
  socket?: Socket;
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<boolean>;
  send(request: object): Promise<unknown>;
  rejectRequests(error: Error): void;
  disconnect(): Promise<boolean>;
}

/** Of the size before each answer. */
const SIZE_BYTES = 4;

/**
 * kafkajs connects again with the bytes it had of an answer that a reset cut off. It takes the next answers for the rest of
 * it, and then any bytes for a size: it throws from a socket's listener, which ends the process, or waits for gigabytes.
 * Here a new connection begins without bytes, and hears no more of the old socket. For every kafkajs client of the process.
 */
const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection.js') as {
  prototype: Connection;
};
const { connect, send } = prototype;
prototype.connect = function (this: Connection) {
  if (!this.isConnected()) {
    this.socket?.removeAllListeners('data').removeAllListeners('end');
    Object.assign(this, { chunks: [], bytesBuffered: 0, bytesNeeded: SIZE_BYTES });
  }
  return connect.call(this);
};

/**
 * kafkajs sends again over the connection on which a request has timed out: where a firewall has forgotten it, five times
 * 30 s. Here, as in Java's client, that connection ends, and the next request has a new one.
 */
prototype.send = async function (this: Connection, request: object) {
  try {
    return await send.call(this, request);
  } catch (error) {
    if ((error as Error).name === 'KafkaJSRequestTimeoutError' && this.isConnected()) {
      const { socket } = this;
      this.rejectRequests(error as Error);
      await this.disconnect();
      // An end would wait for an answer, and an error of this socket would end the next one.
      socket?.destroy();
    }
    throw error;
  }
};

export { Kafka };
