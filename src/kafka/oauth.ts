import { AustreamError } from '../errors.ts';
import type { SaslOptions } from './options.ts';

const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Fetches an access token with OAuth 2 client credentials (RFC 6749, section 4.4). Throws KAFKA_REJECTED when the
 * endpoint does not answer or does not issue a token.
 */
export async function fetchToken(sasl: Extract<SaslOptions, { mechanism: 'OAUTHBEARER' }>): Promise<string> {
  const noToken = (why: string, cause?: unknown) =>
    new AustreamError('KAFKA_REJECTED', `the token endpoint ${sasl.tokenEndpoint} issued no token: ${why}`, {
      fix: 'check kafka.sasl (tokenEndpoint, clientId, clientSecret, scope) in the config',
      cause,
    });
  let response: Response;
  try {
    response = await fetch(sasl.tokenEndpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${sasl.clientId}:${sasl.clientSecret}`).toString('base64')}`,
      },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(sasl.scope === undefined ? {} : { scope: sasl.scope }),
      }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  } catch (error) {
    throw noToken((error as Error).message, error);
  }
  if (!response.ok) throw noToken(`HTTP ${response.status}`);
  const { access_token: token } = (await response.json()) as { access_token?: unknown };
  if (typeof token !== 'string') throw noToken('the response has no access_token');
  return token;
}
