import type { RtspAddress } from '../../../camera/rtsp-address.ts';
import type { Authenticator } from './authenticator.ts';
import { headerValues, type RtspMessage, statusOf, withHeader } from './message.ts';
import { allowedResponse } from './response-policy.ts';

interface Pending {
  /** As rtspsrc sent it. */
  readonly request: RtspMessage;
  readonly isRetry: boolean;
}

/** What cameras send to see whether the client is still there. Others, such as REDIRECT, are left out. */
const KEEPALIVE = /^(OPTIONS|GET_PARAMETER|SET_PARAMETER|TEARDOWN) /;
/** More unanswered requests than any client sends. */
const MAX_PENDING = 64;

/**
 * The requests of one connection and their responses. Requests get the credentials here: rtspsrc has none. A request is
 * sent again once when the camera challenges it.
 */
export class RtspExchange {
  readonly #camera: RtspAddress;
  readonly #peer: string;
  readonly #authenticator: Authenticator;
  /** Requests without a response, by the sequence number that the camera knows; oldest first. */
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;

  constructor(camera: RtspAddress, peer: string, authenticator: Authenticator) {
    this.#camera = camera;
    this.#peer = peer;
    this.#authenticator = authenticator;
  }

  /** A message of rtspsrc as it goes to the camera. */
  toCamera(message: RtspMessage): RtspMessage {
    return statusOf(message) === null ? this.#request({ request: message, isRetry: false }) : message;
  }

  /** What follows from a message of the camera. Throws CAMERA_UNTRUSTED. */
  fromCamera(message: RtspMessage): { toCamera: RtspMessage } | { toClient: RtspMessage } | null {
    const status = statusOf(message);
    if (status === null) return KEEPALIVE.test(message.start) ? { toClient: message } : null;
    const pending = this.#answered(message);
    if (!pending) return null;
    const challenges = headerValues(message, 'WWW-Authenticate');
    // Some cameras answer 404 instead of 401; GStreamer accepts both.
    const isChallenge = (status === 401 || status === 404) && challenges.length > 0;
    if (isChallenge && !pending.isRetry && this.#authenticator.accept(challenges))
      return { toCamera: this.#request({ request: pending.request, isRetry: true }) };
    const response = withHeader(message, 'CSeq', headerValues(pending.request, 'CSeq')[0] ?? null);
    return { toClient: allowedResponse(pending.request, response, this.#camera, this.#peer) };
  }

  #request(pending: Pending): RtspMessage {
    const [method = '', uri = '', version = ''] = pending.request.start.split(' ');
    // A description may contain URLs of other hosts. The request goes to the camera whatever its URI says; a digest
    // for another host's URI could be used there.
    const ownUri = uri.replace(/^rtsps?:\/\/[^/?#]*/i, `rtsp://${this.#camera.authority}`);
    this.#sequence += 1;
    this.#pending.set(this.#sequence, pending);
    if (this.#pending.size > MAX_PENDING) this.#pending.delete(this.#pending.keys().next().value!);
    const request = { ...pending.request, start: `${method} ${ownUri} ${version}` };
    return withHeader(
      withHeader(request, 'CSeq', String(this.#sequence)),
      'Authorization',
      this.#authenticator.authorization(method, ownUri),
    );
  }

  /** Some cameras repeat no or a wrong sequence number: their response belongs to the oldest request. */
  #answered(response: RtspMessage): Pending | undefined {
    const sequence = Number(headerValues(response, 'CSeq')[0]);
    const key = this.#pending.has(sequence) ? sequence : this.#pending.keys().next().value;
    if (key === undefined) return undefined;
    const pending = this.#pending.get(key);
    this.#pending.delete(key);
    return pending;
  }
}
