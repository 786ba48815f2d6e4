import { randomUUID } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import { isIP } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import onvif from 'onvif';
import { type DeviceAddress, deviceUrl, parseDeviceUrl } from '../camera/onvif-address.ts';
import { AustreamError } from '../errors.ts';
import { OnvifClient } from './client.ts';
import type { DeviceClock } from './clock.ts';
import { deviceText, field } from './profile.ts';

/** A device that answered a probe. All texts come from the device and are not trusted. */
export interface FoundDevice {
  /** Its `onvif://` URL for the config. */
  readonly url: string;
  readonly name: string | null;
  readonly hardware: string | null;
  /** Its endpoint reference, mostly `urn:uuid:…`: stays the same when its address changes. */
  readonly id: string;
  readonly clock: DeviceClock | null;
}

interface DiscoverOptions {
  readonly timeoutMs: number;
  /** Searches the network of this interface only; by default of every interface but loopback. */
  readonly interface?: string | undefined;
}

/** Maximum number of devices: bounds the memory that a flood of answers can take. */
const MAX_DEVICES = 1_024;
/** Devices of one sender: a recorder may answer for its cameras, but one host must not fill the list. */
const MAX_PER_SENDER = 64;
/** Clocks that are read at the same time. */
const CLOCKS_AT_ONCE = 32;
const MAX_LIST_LENGTH = 8_192;
/** Timeout for reading one device's clock. */
const CLOCK_MS = 2_000;

/**
 * Finds ONVIF devices by multicast (WS-Discovery) and reads the clock of each, which needs no password. It parses XML
 * from anyone on the network, so the host process must not use it. Throws ARGUMENT_INVALID for an unknown interface,
 * CAMERA_UNREACHABLE if no network can be probed.
 */
export async function discover({
  timeoutMs,
  interface: onlyInterface,
}: DiscoverOptions): Promise<FoundDevice[]> {
  const found = new Map<string, Omit<FoundDevice, 'clock'> & { address: DeviceAddress }>();
  const perSender = new Map<string, number>();
  const onDevice = (probeMatches: unknown, { address }: RemoteInfo) => {
    for (const device of parseProbeMatches(probeMatches, address)) {
      const fromSender = perSender.get(address) ?? 0;
      if (found.has(device.id) || found.size >= MAX_DEVICES || fromSender >= MAX_PER_SENDER) continue;
      found.set(device.id, device);
      perSender.set(address, fromSender + 1);
    }
  };
  // Malformed answers are reported as errors too; their senders are ignored.
  const onError = () => {};
  onvif.Discovery.on('device', onDevice).on('error', onError);
  const failures = await Promise.all(
    interfacesToProbe(onlyInterface).map((device) => probe(device, timeoutMs)),
  ).finally(() => onvif.Discovery.off('device', onDevice).off('error', onError));
  const failure = failures.find((error) => error !== null);
  if (failure && failures.every((error) => error !== null))
    throw new AustreamError(
      'CAMERA_UNREACHABLE',
      `the network cannot be searched: ${failure.code ?? failure.message}`,
      {
        fix: 'choose another --interface, and let UDP port 3702 through the firewall',
      },
    );
  const devices: FoundDevice[] = [];
  const waiting = [...found.values()];
  const readClocks = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { address, ...device } = next;
      const clock = await new OnvifClient(address, {}, CLOCK_MS).clock().catch(() => null);
      devices.push({ ...device, clock });
    }
  };
  await Promise.all(Array.from({ length: CLOCKS_AT_ONCE }, readClocks));
  return devices.sort((a, b) => a.url.localeCompare(b.url, 'en', { numeric: true }));
}

/** Sends a Probe on one interface; resolves with the network's error, or null. */
function probe(device: string, timeout: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) =>
    onvif.Discovery.probe({ device, timeout, resolve: false, messageId: randomUUID() }, (error) =>
      // An array lists malformed answers: the network itself works.
      resolve(Array.isArray(error) ? null : error),
    ),
  );
}

/** Validates the name: the library treats an unknown interface as "any". */
function interfacesToProbe(onlyInterface: string | undefined): string[] {
  const all = Object.entries(networkInterfaces()).filter(([, addresses]) => addresses?.some(isV4));
  if (onlyInterface !== undefined) {
    if (all.some(([name]) => name === onlyInterface)) return [onlyInterface];
    throw new AustreamError(
      'ARGUMENT_INVALID',
      `no network interface ${onlyInterface} with an IPv4 address`,
      {
        fix: `use one of ${all.map(([name]) => name).join(', ')}`,
      },
    );
  }
  const external = all.filter(([, addresses]) =>
    addresses?.some((address) => isV4(address) && !address.internal),
  );
  return (external.length > 0 ? external : all).map(([name]) => name);
}

function isV4({ family }: NetworkInterfaceInfo): boolean {
  return family === 'IPv4';
}

/**
 * Parses a ProbeMatches message as the library returns it; malformed matches are skipped. `sender` is its source
 * address: a device may list several addresses, also of other networks, but only this one is known to reach it.
 */
export function parseProbeMatches(
  probeMatches: unknown,
  sender: string,
): (Omit<FoundDevice, 'clock'> & { address: DeviceAddress })[] {
  const matches = field(probeMatches, 'probeMatches', 'probeMatch');
  return (Array.isArray(matches) ? matches : [matches]).slice(0, MAX_PER_SENDER).flatMap((match) => {
    const urls = parseList(field(match, 'XAddrs')).flatMap((url) => (URL.canParse(url) ? new URL(url) : []));
    // TLS is not supported; a device that offers only https:// is skipped.
    const plain = urls.filter(({ protocol }) => protocol === 'http:');
    const service =
      plain.find(({ hostname }) => hostname === sender) ?? plain.find(({ hostname }) => isIP(hostname) === 4);
    if (service === undefined) return [];
    const url = `onvif://${sender}:${service.port || 80}${service.pathname}`;
    const address = parseDeviceUrl(url);
    if (typeof address === 'string') return [];
    const scopes = parseList(field(match, 'scopes'));
    return {
      id: deviceText(field(match, 'endpointReference', 'address')) || deviceText(url),
      url: deviceUrl(address),
      name: scopeValue(scopes, 'name'),
      hardware: scopeValue(scopes, 'hardware'),
      address,
    };
  });
}

/** Splits an XML list: a text, or an object with the text and attributes. */
function parseList(value: unknown): string[] {
  const text = typeof value === 'object' ? field(value, '_') : value;
  return typeof text === 'string' ? text.slice(0, MAX_LIST_LENGTH).split(/\s+/).filter(Boolean) : [];
}

/** `onvif://www.onvif.org/name/Lobby%20west` → `Lobby west`. */
function scopeValue(scopes: readonly string[], kind: string): string | null {
  const prefix = `onvif://www.onvif.org/${kind}/`;
  const value = scopes.find((scope) => scope.toLowerCase().startsWith(prefix))?.slice(prefix.length);
  if (!value) return null;
  try {
    return deviceText(decodeURIComponent(value)) || null;
  } catch {
    return deviceText(value);
  }
}
