import { randomUUID } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import { isIP } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import onvif from 'onvif';
import { type DeviceAddress, deviceUrl, parseDeviceUrl } from '../camera/onvif-address.ts';
import { AustreamError } from '../errors.ts';
import { OnvifClient } from './client.ts';
import type { DeviceClock } from './clock.ts';
import { field, printable } from './profile.ts';

/** A device that answered. All texts are the device's own. */
export interface FoundDevice {
  /** The URL under which austream takes it as a camera. */
  readonly url: string;
  readonly name: string | null;
  readonly hardware: string | null;
  /** The same wherever the device is: its endpoint reference, mostly `urn:uuid:…`. */
  readonly id: string;
  readonly clock: DeviceClock | null;
}

export interface DiscoverOptions {
  readonly timeoutMs: number;
  /** Only the network of this interface; otherwise of every one but loopback. */
  readonly interface?: string | undefined;
}

/** A network with more cameras is searched interface by interface; a flood of answers ends here. */
const MOST_DEVICES = 4_096;
/** A clock that is not told by then is not worth more waiting. */
const CLOCK_MS = 2_000;

/**
 * Calls ONVIF devices by multicast (WS-Discovery) and asks each that answers for its clock, which needs no password.
 * Parses what anybody on the network sends: not for austream's host process. Throws ARGUMENT_INVALID for an interface
 * that is not there, CAMERA_UNREACHABLE where no network can be asked.
 */
export async function discover({ timeoutMs, interface: only }: DiscoverOptions): Promise<FoundDevice[]> {
  const found = new Map<string, Omit<FoundDevice, 'clock'> & { address: DeviceAddress }>();
  const onDevice = (answer: unknown, { address }: RemoteInfo) => {
    if (found.size < MOST_DEVICES)
      for (const device of readAnswer(answer, address))
        if (!found.has(device.id)) found.set(device.id, device);
  };
  // Broken answers are told here too; whoever sent them is no camera.
  const onError = () => {};
  onvif.Discovery.on('device', onDevice).on('error', onError);
  const failures = await Promise.all(interfacesToAsk(only).map((device) => probe(device, timeoutMs))).finally(
    () => onvif.Discovery.off('device', onDevice).off('error', onError),
  );
  const failure = failures.find((error) => error !== null);
  if (failure && failures.every((error) => error !== null))
    throw new AustreamError(
      'CAMERA_UNREACHABLE',
      `the network cannot be asked: ${failure.code ?? failure.message}`,
      {
        fix: 'choose another --interface, and let UDP port 3702 through the firewall',
      },
    );
  const devices = await Promise.all(
    [...found.values()].map(async ({ address, ...device }) => ({
      ...device,
      clock: await new OnvifClient(address, {}, CLOCK_MS).clock().catch(() => null),
    })),
  );
  return devices.sort((a, b) => a.url.localeCompare(b.url, 'en', { numeric: true }));
}

/** What a Probe of one interface failed with, or null. */
function probe(device: string, timeout: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) =>
    onvif.Discovery.probe({ device, timeout, resolve: false, messageId: randomUUID() }, (error) =>
      // A list holds answers that could not be read: not a failure of the network.
      resolve(Array.isArray(error) ? null : error),
    ),
  );
}

/** The library takes a name that it does not know for "any". */
function interfacesToAsk(only: string | undefined): string[] {
  const all = Object.entries(networkInterfaces()).filter(([, addresses]) => addresses?.some(isV4));
  if (only !== undefined) {
    if (all.some(([name]) => name === only)) return [only];
    throw new AustreamError('ARGUMENT_INVALID', `no network interface ${only} with an IPv4 address`, {
      fix: `there are ${all.map(([name]) => name).join(', ')}`,
    });
  }
  const outer = all.filter(([, addresses]) => addresses?.some((each) => isV4(each) && !each.internal));
  return (outer.length > 0 ? outer : all).map(([name]) => name);
}

function isV4({ family }: NetworkInterfaceInfo): boolean {
  return family === 'IPv4';
}

/**
 * Reads a ProbeMatches as the library gives it. `sender` is where it came from: a device may name several addresses,
 * of other networks too, but only this one is known to lead to it.
 */
export function readAnswer(
  answer: unknown,
  sender: string,
): (Omit<FoundDevice, 'clock'> & { address: DeviceAddress })[] {
  const matches = field(answer, 'probeMatches', 'probeMatch');
  return (Array.isArray(matches) ? matches : [matches]).flatMap((match) => {
    const given = words(field(match, 'XAddrs')).flatMap((url) => (URL.canParse(url) ? new URL(url) : []));
    // TLS is not spoken here, and a device that has only that answers at no http:// address.
    const plain = given.filter(({ protocol }) => protocol === 'http:');
    const at =
      plain.find(({ hostname }) => hostname === sender) ?? plain.find(({ hostname }) => isIP(hostname) === 4);
    if (at === undefined) return [];
    const bare = `onvif://${sender}:${at.port || 80}${at.pathname}`;
    const address = parseDeviceUrl(bare);
    if (typeof address === 'string') return [];
    const scopes = words(field(match, 'scopes'));
    return {
      id: printable(field(match, 'endpointReference', 'address') ?? bare),
      url: deviceUrl(address),
      name: scopeOf(scopes, 'name'),
      hardware: scopeOf(scopes, 'hardware'),
      address,
    };
  });
}

/** An XML list: as text, or with attributes beside it. */
function words(value: unknown): string[] {
  const text = typeof value === 'object' ? field(value, '_') : value;
  return typeof text === 'string' ? text.split(/\s+/).filter(Boolean) : [];
}

/** `onvif://www.onvif.org/name/Lobby%20west` → `Lobby west`. */
function scopeOf(scopes: readonly string[], kind: string): string | null {
  const prefix = `onvif://www.onvif.org/${kind}/`;
  const value = scopes.find((scope) => scope.toLowerCase().startsWith(prefix))?.slice(prefix.length);
  if (!value) return null;
  try {
    return printable(decodeURIComponent(value)) || null;
  } catch {
    return printable(value);
  }
}
