import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { AustreamError } from '../../errors.ts';
import type { OnvifDevice } from './device.ts';
import { scopes } from './services.ts';
import { child, envelope, escapeXml, parseRequest, textOf } from './soap.ts';

const GROUP = '239.255.255.250';
const PORT = 3702;
const TYPE = 'NetworkVideoTransmitter';
const ANONYMOUS = 'http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous';
const ACTION = 'http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches';

/** Answers WS-Discovery (April 2005) probes for simulated devices, at the UDP port that all devices of a host share. */
export class DiscoveryResponder {
  readonly #socket: Socket;
  readonly #devices: readonly OnvifDevice[];

  private constructor(socket: Socket, devices: readonly OnvifDevice[]) {
    this.#socket = socket;
    this.#devices = devices;
    socket.on('message', (message, sender) => void this.#onProbe(message, sender).catch(() => {}));
  }

  /** Throws PORT_IN_USE if another program does not share the port. */
  static start(host: string, devices: readonly OnvifDevice[]): Promise<DiscoveryResponder> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    return new Promise((resolve, reject) => {
      socket.once('error', (error: NodeJS.ErrnoException) =>
        reject(new AustreamError('PORT_IN_USE', `UDP port ${PORT} cannot be shared: ${error.code}`)),
      );
      socket.bind(PORT, () => {
        for (const address of addressesOf(host)) socket.addMembership(GROUP, address);
        resolve(new DiscoveryResponder(socket, devices));
      });
    });
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  async #onProbe(message: Buffer, { address, port }: RemoteInfo): Promise<void> {
    const request = await parseRequest(message.toString('utf8'));
    const types = textOf(child(request.body, 'Types'));
    if (request.operation !== 'Probe' || (types !== '' && !types.includes(TYPE))) return;
    // One answer per device, as if each had its own network address.
    for (const device of this.#devices)
      this.#socket.send(probeMatch(device, request.messageId), port, address);
  }
}

function probeMatch(device: OnvifDevice, relatesTo: string): string {
  return envelope(
    `<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:${device.uuid}</a:Address></a:EndpointReference><d:Types>dn:${TYPE}</d:Types><d:Scopes>${scopes(device).join(' ')}</d:Scopes><d:XAddrs>${device.serviceUrl}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>`,
    `<a:MessageID>urn:uuid:${crypto.randomUUID()}</a:MessageID><a:RelatesTo>${escapeXml(relatesTo)}</a:RelatesTo><a:To>${ANONYMOUS}</a:To><a:Action>${ACTION}</a:Action>`,
  );
}

function addressesOf(host: string): string[] {
  if (host !== '0.0.0.0') return [host];
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => address);
}
