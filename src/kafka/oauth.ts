import { AustreamError } from '../errors.ts';
import type { SaslOptions } from './options.ts';

/** Fetches an access token by OAuth 2 client credentials (RFC 6749, section 4.4). */
export async function fetchToken(sasl: Extract<SaslOptions, { mechanism: 'OAUTHBEARER' }>): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new AustreamError('KAFKA_REJECTED', `the token endpoint ${sasl.tokenEndpoint} gives no token: ${why}`, {
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
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    throw refuse((error as Error).message, error);
  }
  if (!response.ok) throw refuse(`HTTP ${response.status}`);
  const { access_token: token } = (await response.json()) as { access_token?: unknown };
  if (typeof token !== 'string') throw refuse('its answer has no access_token');
  return token;
}
