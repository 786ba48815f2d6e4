import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { Cam, type RequestCallback } from 'onvif';
import type { DeviceAddress } from '../camera/onvif-address.ts';
import { AustreamError } from '../errors.ts';
import { type DeviceClock, readClock } from './clock.ts';
import { deviceError, type FailedRequest } from './device-error.ts';
import { type MediaProfile, readProfiles } from './profile.ts';

export interface Credentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** No answer of a device is nearly as long; the library itself would take any length into memory. */
const LONGEST_ANSWER = 2 ** 21;
const LOOK_MS = 50;

/**
 * Asks one device. Its answers are parsed in this process: in austream's host process it must not be used. Nothing is
 * ever sent to another host or port than those of the address, whatever the device says; the user name and a digest of
 * the password go there, never the password.
 */
export class OnvifClient {
  readonly #cam: Cam;
  readonly #secured: boolean;
  readonly #requestMs: number;
  #answer: Pick<FailedRequest, 'xml' | 'status'> = { xml: '', status: 0 };
  #clock: DeviceClock | null = null;

  /** Each request may take `requestMs`. */
  constructor(address: DeviceAddress, { username, password }: Credentials, requestMs = 4_000) {
    this.#secured = username !== undefined;
    this.#requestMs = requestMs;
    this.#cam = new Cam({
      hostname: address.host.replace(/^\[|\]$/g, ''),
      port: address.port,
      path: address.path,
      // The library takes the name as XML and the password as Latin-1; devices want UTF-8.
      ...(username === undefined ? {} : { username: escapeXml(username) }),
      ...(password === undefined ? {} : { password: Buffer.from(password).toString('latin1') }),
      preserveAddress: true,
      autoconnect: false,
      timeout: requestMs,
      agent: new BoundedAgent(),
    });
    this.#cam.on('rawResponse', (xml, status) => {
      this.#answer = { xml, status };
    });
  }

  /** The device's clock, also needed to sign every later request; null where the device does not tell it. */
  async clock(): Promise<DeviceClock | null> {
    const before = Date.now();
    const date = await this.#ask<Date>((done) => this.#cam.getSystemDateAndTime(done));
    this.#clock = readClock(date, this.#answer.xml, before, Date.now());
    return this.#clock;
  }

  /** Throws CAMERA_NO_VIDEO where the device has no media service. */
  async profiles(): Promise<MediaProfile[]> {
    try {
      await this.#ask((done) => this.#cam.getServices(false, done));
    } catch (error) {
      if (['CAMERA_UNAUTHORIZED', 'CAMERA_UNREACHABLE'].includes((error as AustreamError).code)) throw error;
      // Old devices know no GetServices.
      await this.#ask((done) => this.#cam.getCapabilities(done));
    }
    const { uri } = this.#cam;
    if (!uri?.media && !uri?.media2)
      throw new AustreamError('CAMERA_NO_VIDEO', 'the device offers no media service: it is no camera');
    try {
      return await this.#profiles();
    } catch (error) {
      if (!this.#cam.media2Support || !uri.media) throw error;
      // Some devices announce the newer media service and cannot do it.
      this.#cam.media2Support = false;
      return this.#profiles();
    }
  }

  /** The address of a profile's stream, as the device gives it. */
  async streamUri({ token }: MediaProfile): Promise<unknown> {
    const answer = await this.#ask<{ uri?: unknown }>((done) =>
      this.#cam.getStreamUri({ protocol: 'RTSP', profileToken: escapeXml(token) }, done),
    );
    return answer?.uri;
  }

  async #profiles(): Promise<MediaProfile[]> {
    return readProfiles(await this.#ask((done) => this.#cam.getProfiles(done)));
  }

  #ask<T>(request: (done: RequestCallback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#answer = { xml: '', status: 0 };
      const refuse = (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        reject(deviceError({ error, ...this.#answer, clock: this.#clock, secured: this.#secured }));
      };
      // The library itself gives up only after silence; one byte a second would keep it waiting.
      const timer = setTimeout(() => refuse(new Error('Network timeout')), this.#requestMs);
      try {
        request((error, data) => {
          if (error) return refuse(error);
          clearTimeout(timer);
          resolve(data as T);
        });
      } catch (error) {
        refuse(error as Error);
      }
    });
  }
}

/** One connection a request, ended when it has brought too much. */
class BoundedAgent extends Agent {
  override createConnection(...args: Parameters<Agent['createConnection']>) {
    const socket = super.createConnection(...args) as Socket;
    const look = setInterval(() => {
      if (socket.bytesRead > LONGEST_ANSWER) socket.destroy(new Error('the answer is too long'));
    }, LOOK_MS);
    socket.once('close', () => clearInterval(look));
    return socket;
  }
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
