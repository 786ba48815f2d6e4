import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import '../../src/kafka/corrected-kafkajs.ts';

const require = createRequire(import.meta.url);
const Connection = require('kafkajs/src/network/connection.js');
const Encoder = require('kafkajs/src/protocol/encoder.js');
const socketFactory = require('kafkajs/src/network/socketFactory.js')();
/** Of correlation id and size, in a request and in an answer. */
const ID_AT = 8;

const silent = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => silent };
/** A request whose answer is its payload. */
const request = {
  request: { apiKey: 18, apiVersion: 0, apiName: 'Test', encode: async () => new Encoder() },
  response: {
    decode: async (decoder: { buffer: Buffer } | Buffer) => decoder,
    parse: async (payload: Buffer) => payload.toString(),
  },
};

/** The answer to a request: size, correlation id, payload. */
function answer(received: Buffer, payload: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + payload.length);
  received.copy(head, 4, ID_AT, ID_AT + 4);
  return Buffer.concat([head, Buffer.from(payload)]);
}

type Reply = (socket: Socket, received: Buffer) => void;

/** A connection to a server that has these replies, one a request. */
async function connectionTo(replies: Reply[], requestTimeout: number) {
  const server = createServer((socket) => {
    socket.on('data', (received) => replies.shift()!(socket, received as Buffer));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const connection = new Connection({
    ...{ host: '127.0.0.1', port, logger: silent, socketFactory },
    ...{ requestTimeout, connectionTimeout: 5000 },
  });
  await connection.connect();
  return { server, connection };
}

test('a connection that was reset within an answer is well again when it is made anew', async () => {
  const { server, connection } = await connectionTo(
    [
      (socket, received) =>
        socket.write(answer(received, 'x'.repeat(50)).subarray(0, 30), () => socket.resetAndDestroy()),
      (socket, received) => socket.write(answer(received, 'whole')),
      (socket, received) => socket.write(answer(received, 'again')),
    ],
    5000,
  );
  await expect(connection.send(request)).rejects.toThrow();
  expect(connection.isConnected()).toBe(false);
  await connection.connect();
  expect(await connection.send(request)).toBe('whole');
  expect(await connection.send(request)).toBe('again');
  await connection.disconnect();
  server.close();
});

test('a connection ends with a request that times out', async () => {
  const { server, connection } = await connectionTo(
    [() => {}, (socket, received) => socket.write(answer(received, 'new'))],
    300,
  );
  await expect(connection.send(request)).rejects.toThrow('timed out');
  expect(connection.isConnected()).toBe(false);
  await connection.connect();
  expect(await connection.send(request)).toBe('new');
  await connection.disconnect();
  server.close();
});
