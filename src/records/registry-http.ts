import { readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';
/** A schema of ours has 10 kB. */
const MAX_RESPONSE_BYTES = 256 << 10;

/** How to reach a registry. */
export interface RegistryAccess {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM file of the CA that signed the registry's certificate. It is read for each request: it may be renewed. */
  readonly ca?: string | undefined;
  readonly timeoutSeconds: number;
}

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: object | undefined;
  /** Ends the exchange. */
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The response had this status, but more bytes than a schema of austream has. */
export class ResponseTooLarge extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the response is larger than ${MAX_RESPONSE_BYTES >> 10} KiB`);
    this.status = status;
  }
}

/** One HTTP exchange of bounded time and size. Redirects are not followed: the credentials are for this host only. */
export function exchange(
  { url, username, password, ca, timeoutSeconds }: RegistryAccess,
  { method, path, body, signal: stop }: HttpRequest,
): Promise<HttpResponse> {
  const target = new URL(url.replace(/\/+$/, '') + path);
  const send = target.protocol === 'https:' ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    // Of the whole exchange: a timeout of the socket would begin again with every byte.
    const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
    const signal = stop ? AbortSignal.any([timeout, stop]) : timeout;
    const fail = (error: Error) =>
      reject(timeout.aborted ? new Error(`no response within ${timeoutSeconds} s`) : error);
    const request = send(
      target,
      {
        method,
        headers: { accept: CONTENT_TYPE, 'content-type': CONTENT_TYPE },
        signal,
        ...(username === undefined ? {} : { auth: `${username}:${password ?? ''}` }),
        ...(ca === undefined ? {} : { ca: readFileSync(ca, 'utf8') }),
      },
      (response) => {
        const { statusCode: status = 0, headers } = response;
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_RESPONSE_BYTES) request.destroy(new ResponseTooLarge(status));
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () => resolve({ status, headers, text: Buffer.concat(chunks).toString() }));
      },
    );
    request.on('error', fail);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
