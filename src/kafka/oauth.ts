import { AustreamError } from '../errors.ts';
import type { SaslOptions } from './options.ts';

/** With the secret itself, wherever it was read. */
type OauthOptions = Pick<
  Extract<SaslOptions, { mechanism: 'OAUTHBEARER' }>,
  'tokenEndpoint' | 'clientId' | 'scope'
> & { readonly clientSecret: string };

const REQUEST_TIMEOUT_MS = 10_000;
/** A token is at most a few kB. */
const MAX_RESPONSE_BYTES = 1 << 20;

/**
 * Client id and secret as they stand in Basic authentication: in the encoding of HTML forms (RFC 6749, 2.3.1), because the
 * secret may contain a colon or characters outside of ASCII.
 */
export function formEncoded({ clientId, clientSecret }: Pick<OauthOptions, 'clientId' | 'clientSecret'>) {
  const encode = (text: string) => new URLSearchParams([['', text]]).toString().slice(1);
  return { clientId: encode(clientId), clientSecret: encode(clientSecret) };
}

/**
 * Fetches an access token with OAuth 2 client credentials (RFC 6749, section 4.4). Throws KAFKA_REJECTED when the
 * endpoint does not answer or does not issue a token. What the endpoint answers is never quoted: it may be the secret.
 */
export async function fetchToken(sasl: OauthOptions): Promise<string> {
  const noToken = (why: string, cause?: unknown) =>
    new AustreamError('KAFKA_REJECTED', `the token endpoint ${sasl.tokenEndpoint} issued no token: ${why}`, {
      fix: 'check kafka.sasl (tokenEndpoint, clientId, clientSecret, scope) in the config',
      cause,
    });
  const { clientId, clientSecret } = formEncoded(sasl);
  let response: Response;
  let text: string;
  try {
    response = await fetch(sasl.tokenEndpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
      },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(sasl.scope === undefined ? {} : { scope: sasl.scope }),
      }),
      // The config names the endpoint; it may not name another one.
      redirect: 'error',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    text = await boundedText(response);
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    throw noToken(cause instanceof Error ? `${message}: ${cause.message}` : message, error);
  }
  if (!response.ok) throw noToken(`HTTP ${response.status}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Without the cause: its message quotes the answer.
    throw noToken('its answer is not JSON');
  }
  const token = (json as { access_token?: unknown } | null)?.access_token;
  if (typeof token !== 'string' || token === '') throw noToken('the response has no access_token');
  return token;
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_RESPONSE_BYTES) throw new Error('its answer is larger than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
