import { networkInterfaces } from 'node:os';
import { OnvifDevice } from './device.ts';
import { DiscoveryResponder } from './discovery.ts';
import type { SimulatedProfile } from './services.ts';

interface Streams {
  readonly urls: readonly string[];
  readonly streams: readonly ({ readonly path: string } & Partial<
    Pick<SimulatedProfile, 'codec' | 'width' | 'height' | 'fps'>
  >)[];
}

interface DevicesOptions {
  readonly host: string;
  /** The first device's port; 0 selects free ports. */
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** The ONVIF devices of a simulator, one per camera with one profile, and the responder for their discovery. */
export class SimulatedDevices {
  readonly devices: readonly OnvifDevice[];
  readonly #discovery: DiscoveryResponder;

  private constructor(devices: readonly OnvifDevice[], discovery: DiscoveryResponder) {
    this.devices = devices;
    this.#discovery = discovery;
  }

  /** Throws PORT_IN_USE. */
  static async start({ urls, streams }: Streams, options: DevicesOptions): Promise<SimulatedDevices> {
    const { host, port, user, password } = options;
    const devices: OnvifDevice[] = [];
    try {
      for (const [index, { codec, width = 0, height = 0, fps = 0 }] of streams.entries()) {
        const profile = { token: 'profile_1', name: 'main', width, height, fps, uri: urls[index]! };
        const device = await OnvifDevice.start({
          name: `camera ${index + 1}`,
          host,
          port: port === 0 ? 0 : port + index,
          user,
          password,
          profiles: codec === undefined ? [] : [{ ...profile, codec }],
        });
        if (host === '0.0.0.0') device.reportedHost = externalAddress();
        devices.push(device);
      }
      return new SimulatedDevices(devices, await DiscoveryResponder.start(host, devices));
    } catch (error) {
      await Promise.all(devices.map((device) => device.stop()));
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.devices, this.#discovery].map((service) => service.stop()));
  }
}

/** An IPv4 address at which other machines reach this one. */
function externalAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}
