import { readFileSync } from 'node:fs';
import { type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import { AustreamError } from '../errors.ts';
import { registerSecrets } from '../redaction.ts';
import { fetchToken, formEncoded } from './oauth.ts';
import type { KafkaOptions, SaslOptions, TlsOptions } from './options.ts';

/** What no error of a client may contain. */
function connectionSecrets({ sasl, tls }: KafkaOptions): (string | undefined)[] {
  return [sasl && ('password' in sasl ? sasl.password : sasl.clientSecret), tls?.keyPassword];
}

/** librdkafka's connection settings for a config. Throws CONFIG_INVALID when a TLS file cannot be read. */
export function rdkafkaConnection(options: KafkaOptions): Record<string, string | number | boolean> {
  registerSecrets(connectionSecrets(options));
  const base = {
    'client.id': options.clientId,
    'socket.keepalive.enable': true,
    'reconnect.backoff.max.ms': 2000,
    // By default brokers may ask librdkafka for the client's metrics (KIP-714); austream sends its own, where told to.
    'enable.metrics.push': false,
  };
  if (options.embedded) return { ...base, 'test.mock.num.brokers': 1, 'bootstrap.servers': '' };
  const protocol = `${options.sasl ? 'sasl_' : ''}${options.tls?.enabled ? 'ssl' : 'plaintext'}`;
  return {
    ...base,
    'bootstrap.servers': options.brokers!.join(','),
    'security.protocol': protocol,
    ...(options.tls?.enabled ? rdkafkaTls(options.tls) : {}),
    ...(options.sasl ? rdkafkaSasl(options.sasl) : {}),
  };
}

function rdkafkaTls(tls: TlsOptions): Record<string, string | boolean> {
  return {
    ...(tls.ca === undefined ? {} : { 'ssl.ca.pem': pem(tls.ca, 'ca') }),
    ...(tls.certificate === undefined ? {} : { 'ssl.certificate.pem': pem(tls.certificate, 'certificate') }),
    ...(tls.key === undefined ? {} : { 'ssl.key.pem': pem(tls.key, 'key') }),
    ...(tls.keyPassword === undefined ? {} : { 'ssl.key.password': tls.keyPassword }),
    'enable.ssl.certificate.verification': tls.verify,
    'ssl.endpoint.identification.algorithm': tls.verify ? 'https' : 'none',
  };
}

function rdkafkaSasl(sasl: SaslOptions): Record<string, string> {
  if (sasl.mechanism !== 'OAUTHBEARER')
    return {
      'sasl.mechanism': sasl.mechanism,
      'sasl.username': sasl.username,
      'sasl.password': sasl.password,
    };
  // librdkafka does not encode them.
  const { clientId, clientSecret } = formEncoded(sasl);
  return {
    'sasl.mechanism': 'OAUTHBEARER',
    'sasl.oauthbearer.method': 'oidc',
    'sasl.oauthbearer.token.endpoint.url': sasl.tokenEndpoint,
    'sasl.oauthbearer.client.id': clientId,
    'sasl.oauthbearer.client.secret': clientSecret,
    ...(sasl.scope === undefined ? {} : { 'sasl.oauthbearer.scope': sasl.scope }),
  };
}

/**
 * kafkajs's connection settings for a config. Throws CONFIG_INVALID when a TLS file cannot be read. `brokers` overrides
 * those of the config: the embedded broker's address is known only at run time.
 */
export function kafkajsConnection(options: KafkaOptions, brokers = options.brokers ?? []): KafkaConfig {
  const { tls } = options;
  registerSecrets(connectionSecrets(options));
  return {
    clientId: options.clientId,
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    ...(tls?.enabled
      ? {
          ssl: {
            rejectUnauthorized: tls.verify,
            ...(tls.ca === undefined ? {} : { ca: pem(tls.ca, 'ca') }),
            ...(tls.certificate === undefined ? {} : { cert: pem(tls.certificate, 'certificate') }),
            ...(tls.key === undefined ? {} : { key: pem(tls.key, 'key') }),
            ...(tls.keyPassword === undefined ? {} : { passphrase: tls.keyPassword }),
          },
        }
      : {}),
    ...(options.sasl ? { sasl: kafkajsSasl(options.sasl) } : {}),
  };
}

function kafkajsSasl(sasl: SaslOptions): SASLOptions {
  if (sasl.mechanism === 'OAUTHBEARER')
    return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await fetchToken(sasl) }) };
  const { username, password } = sasl;
  switch (sasl.mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain', username, password };
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username, password };
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username, password };
  }
}

/** The text of a PEM file. `key` is its key under `kafka.tls`, for the error message. */
function pem(file: string, key: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AustreamError(
      'CONFIG_INVALID',
      `kafka.tls.${key}: ${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
      { cause },
    );
  }
}
