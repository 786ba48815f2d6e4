import { Cam, type RequestCallback } from 'onvif';
import type { DeviceAddress } from '../camera/onvif-address.ts';
import { wallMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import { BoundedAgent } from './bounded-agent.ts';
import { type DeviceClock, measureClock } from './clock.ts';
import { deviceError, type FailedRequest } from './device-error.ts';
import { type MediaProfile, parseProfiles } from './profile.ts';

export interface Credentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/**
 * Client of one ONVIF device. It parses XML from the network in its own process, so the host process must not use it.
 * Every request goes to the host and port of the address, whatever URLs the device returns. It sends the user name and
 * a digest of the password, never the password.
 */
export class OnvifClient {
  readonly #cam: Cam;
  readonly #hasUser: boolean;
  readonly #requestMs: number;
  /** The response to the current request. */
  #response: Pick<FailedRequest, 'xml' | 'status'> = { xml: '', status: 0 };
  #clock: DeviceClock | null = null;

  /** `requestMs`: timeout of each request. */
  constructor(address: DeviceAddress, { username, password }: Credentials, requestMs = 4_000) {
    this.#hasUser = username !== undefined;
    this.#requestMs = requestMs;
    this.#cam = new Cam({
      hostname: address.host.replace(/^\[|\]$/g, ''),
      port: address.port,
      path: address.path,
      // The library inserts the name into XML unescaped and encodes the password as Latin-1; devices expect UTF-8.
      ...(username === undefined ? {} : { username: escapeXml(username) }),
      ...(password === undefined ? {} : { password: Buffer.from(password).toString('latin1') }),
      preserveAddress: true,
      autoconnect: false,
      timeout: requestMs,
      agent: new BoundedAgent(requestMs),
    });
    this.#cam.on('rawResponse', (xml, status) => {
      this.#response = { xml, status };
    });
  }

  /**
   * Measures the device's clock; null if it reports none. Call it first: the digests of later requests use the
   * device's time.
   */
  async clock(): Promise<DeviceClock | null> {
    const before = wallMs();
    const date = await this.#request<Date>((done) => this.#cam.getSystemDateAndTime(done));
    this.#clock = measureClock(date, this.#response.xml, before, wallMs());
    return this.#clock;
  }

  /** Lists the media profiles. Throws CAMERA_NO_VIDEO if the device has no media service. */
  async profiles(): Promise<MediaProfile[]> {
    try {
      await this.#request((done) => this.#cam.getServices(false, done));
    } catch (error) {
      if (['CAMERA_UNAUTHORIZED', 'CAMERA_UNREACHABLE'].includes((error as AustreamError).code)) throw error;
      // Old devices do not support GetServices.
      await this.#request((done) => this.#cam.getCapabilities(done));
    }
    const { uri } = this.#cam;
    if (!uri?.media && !uri?.media2)
      throw new AustreamError('CAMERA_NO_VIDEO', 'the device has no media service: it is not a camera');
    try {
      return await this.#getProfiles();
    } catch (error) {
      if (!this.#cam.media2Support || !uri.media) throw error;
      // Some devices announce the newer media service (media2) without supporting it.
      this.#cam.media2Support = false;
      return this.#getProfiles();
    }
  }

  /** The URL of a profile's stream, unchecked. */
  async streamUri({ token }: MediaProfile): Promise<unknown> {
    const response = await this.#request<{ uri?: unknown }>((done) =>
      this.#cam.getStreamUri({ protocol: 'RTSP', profileToken: escapeXml(token) }, done),
    );
    return response?.uri;
  }

  async #getProfiles(): Promise<MediaProfile[]> {
    return parseProfiles(await this.#request((done) => this.#cam.getProfiles(done)));
  }

  /** Rejects with an AustreamError. */
  #request<T>(start: (done: RequestCallback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#response = { xml: '', status: 0 };
      const fail = (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        reject(deviceError({ error, ...this.#response, clock: this.#clock, hasUser: this.#hasUser }));
      };
      // The library's timeout is for idle sockets: a device that sends one byte per second would never reach it.
      const timer = setTimeout(() => fail(new Error('Network timeout')), this.#requestMs);
      try {
        start((error, data) => {
          if (error) return fail(error);
          clearTimeout(timer);
          resolve(data as T);
        });
      } catch (error) {
        fail(error as Error);
      }
    });
  }
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
