import { type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import { kafkajsBrokers } from './broker-address.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { fetchToken, formEncoded } from './oauth.ts';
import type { KafkaOptions, SaslOptions, TlsOptions } from './options.ts';

/**
 * librdkafka's connection settings for a config, with the credentials as they are now: it never reads them again.
 * `CredentialWatch` tells when the client must be replaced. Throws CONFIG_INVALID when a file cannot be used.
 */
export function rdkafkaConnection(options: KafkaOptions): Record<string, string | number | boolean> {
  const credentials = readCredentials(options);
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
    ...(options.tls?.enabled ? rdkafkaTls(options.tls, credentials) : {}),
    ...(options.sasl ? rdkafkaSasl(options.sasl, credentials) : {}),
  };
}

function rdkafkaTls(
  tls: TlsOptions,
  { ca, certificate, key }: Credentials,
): Record<string, string | boolean> {
  return {
    ...(ca === undefined ? {} : { 'ssl.ca.pem': ca }),
    ...(certificate === undefined ? {} : { 'ssl.certificate.pem': certificate }),
    ...(key === undefined ? {} : { 'ssl.key.pem': key }),
    ...(tls.keyPassword === undefined ? {} : { 'ssl.key.password': tls.keyPassword }),
    'enable.ssl.certificate.verification': tls.verify,
    'ssl.endpoint.identification.algorithm': tls.verify ? 'https' : 'none',
  };
}

function rdkafkaSasl(sasl: SaslOptions, { secret = '' }: Credentials): Record<string, string> {
  if (sasl.mechanism !== 'OAUTHBEARER')
    return {
      'sasl.mechanism': sasl.mechanism,
      'sasl.username': sasl.username,
      'sasl.password': secret,
    };
  // librdkafka does not encode them.
  const { clientId, clientSecret } = formEncoded({ clientId: sasl.clientId, clientSecret: secret });
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
 * kafkajs's connection settings for a config. kafkajs reads `ssl` and `sasl` at each connection: their properties are
 * getters that return the credentials as they are then, so that a client outlives its certificate. Throws CONFIG_INVALID
 * when a file cannot be used. `brokers` overrides those of the config: the embedded broker's address is known only at
 * run time.
 */
export function kafkajsConnection(options: KafkaOptions, brokers = options.brokers ?? []): KafkaConfig {
  const { tls, sasl } = options;
  const first = readCredentials(options);
  const current = (name: keyof Credentials) => () => readCredentials(options)[name];
  return {
    clientId: options.clientId,
    ...kafkajsBrokers(brokers),
    logLevel: logLevel.NOTHING,
    ...(tls?.enabled
      ? {
          ssl: withGetters(
            {
              rejectUnauthorized: tls.verify,
              ...(tls.keyPassword === undefined ? {} : { passphrase: tls.keyPassword }),
            },
            {
              ...(first.ca === undefined ? {} : { ca: current('ca') }),
              ...(first.certificate === undefined
                ? {}
                : { cert: current('certificate'), key: current('key') }),
            },
          ),
        }
      : {}),
    ...(sasl ? { sasl: kafkajsSasl(sasl, () => readCredentials(options).secret!) } : {}),
  };
}

function kafkajsSasl(sasl: SaslOptions, secret: () => string): SASLOptions {
  if (sasl.mechanism === 'OAUTHBEARER')
    return {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: await fetchToken({ ...sasl, clientSecret: secret() }) }),
    };
  const { username } = sasl;
  const mechanism = { PLAIN: 'plain', 'SCRAM-SHA-256': 'scram-sha-256', 'SCRAM-SHA-512': 'scram-sha-512' }[
    sasl.mechanism
  ];
  return withGetters({ mechanism, username }, { password: secret }) as SASLOptions;
}

/** `values`, with properties that are read anew at each access. */
function withGetters(values: object, getters: Readonly<Record<string, () => unknown>>): object {
  const descriptors = Object.entries(getters).map(([name, get]): [string, PropertyDescriptor] => [
    name,
    { get, enumerable: true },
  ]);
  return Object.defineProperties({ ...values }, Object.fromEntries(descriptors));
}
