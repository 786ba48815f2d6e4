import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

/** `host:port`; an IPv6 address stands in brackets, as librdkafka and Java's client write it. */
export const BROKER_ADDRESS = /^(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s/:[\]]+):\d{1,5}$/;
export const BROKER_ADDRESS_RULE = 'must be host:port, with an IPv6 address in brackets: [::1]:9092';

const KEEP_ALIVE_MS = 60_000;

/** The addresses of a comma-separated list. */
export function splitBrokers(list: string): string[] {
  return list
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '');
}

/**
 * What kafkajs needs for brokers with IPv6 addresses: it splits an address at its first colon. The host is percent-encoded for
 * it; `socketFactory` decodes it again. Hosts that the brokers advertise come without brackets and pass unchanged.
 */
export function kafkajsBrokers(brokers: readonly string[]): {
  brokers: string[];
  socketFactory: ISocketFactory;
} {
  return {
    brokers: brokers.map((broker) =>
      broker.replace(/^\[(.*)\]:/, (_, address) => `${encodeURIComponent(address)}:`),
    ),
    socketFactory: openSocket,
  };
}

const openSocket: ISocketFactory = ({ host: encoded, port, ssl, onConnect }) => {
  const host = /%3A/i.test(encoded) ? decodeURIComponent(encoded) : encoded;
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
};
