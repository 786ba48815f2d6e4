import { createRequire } from 'node:module';
import { Kafka } from 'kafkajs';

/** What kafkajs 2.2.4 keeps of a connection: bytes of answers that are not complete. */
interface Connection {
  socket?: NodeJS.EventEmitter;
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<boolean>;
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
const { connect } = prototype;
prototype.connect = function (this: Connection) {
  if (!this.isConnected()) {
    this.socket?.removeAllListeners('data');
    Object.assign(this, { chunks: [], bytesBuffered: 0, bytesNeeded: SIZE_BYTES });
  }
  return connect.call(this);
};

export { Kafka };
