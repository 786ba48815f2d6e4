import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readBoundedFile } from '../bounded-file.ts';
import { AustreamError } from '../errors.ts';
import { registerSecrets } from '../redaction.ts';
import type { KafkaOptions } from './options.ts';

/** Certificate authorities of a system have about 250 kB. */
const MAX_FILE_BYTES = 4 << 20;

/** What a client authenticates with, as text: files have been read. */
export interface Credentials {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Of SASL: the password or the client secret. */
  readonly secret?: string;
}

/** The newest consistent credentials of this process, by the settings that name them. */
const lastConsistent = new Map<string, Credentials>();

/**
 * Reads the files of `kafka.tls` and `kafka.sasl`. The files of a renewal are not replaced at once: while certificate and
 * key do not belong together, or a file is missing or half written, these are the credentials from before, if this
 * process has any. Otherwise it throws CONFIG_INVALID.
 */
export function readCredentials(options: KafkaOptions): Credentials {
  const settings = JSON.stringify([options.tls, options.sasl]);
  try {
    const credentials = readConsistent(options);
    lastConsistent.set(settings, credentials);
    return credentials;
  } catch (error) {
    const previous = lastConsistent.get(settings);
    if (previous) return previous;
    throw error;
  }
}

/** As they are on disk now. Throws CONFIG_INVALID if they cannot be used. */
export function readConsistent({ tls, sasl }: KafkaOptions): Credentials {
  const credentials: { -readonly [K in keyof Credentials]: Credentials[K] } = {};
  if (tls?.enabled) {
    if (tls.ca !== undefined) {
      credentials.ca = readSetting(tls.ca, 'kafka.tls.ca');
      if (pemCertificates(credentials.ca).length === 0)
        throw invalid(`kafka.tls.ca: ${tls.ca} has no PEM certificate`);
    }
    if (tls.certificate !== undefined) {
      credentials.certificate = readSetting(tls.certificate, 'kafka.tls.certificate');
      credentials.key = readSetting(tls.key!, 'kafka.tls.key');
      requirePair(credentials.certificate, credentials.key, tls);
    }
  }
  const secret = sasl && secretOf(sasl);
  if (secret !== undefined) credentials.secret = secret;
  registerSecrets([secret, tls?.keyPassword]);
  return credentials;
}

/** The certificates of a PEM text; none if one of them is not complete. */
export function pemCertificates(text: string): string[] {
  const complete = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g) ?? [];
  return complete.length === begun.length ? complete : [];
}

function secretOf(sasl: NonNullable<KafkaOptions['sasl']>): string | undefined {
  const [setting, secret, file] =
    sasl.mechanism === 'OAUTHBEARER'
      ? (['kafka.sasl.clientSecretFile', sasl.clientSecret, sasl.clientSecretFile] as const)
      : (['kafka.sasl.passwordFile', sasl.password, sasl.passwordFile] as const);
  if (file === undefined) return secret;
  const text = readSetting(file, setting).replace(/\r?\n$/, '');
  if (text === '') throw invalid(`${setting}: ${file} is empty`);
  return text;
}

function requirePair(
  certificate: string,
  key: string,
  tls: { certificate?: string | undefined; key?: string | undefined; keyPassword?: string | undefined },
): void {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch (cause) {
    throw invalid(`kafka.tls.certificate: ${tls.certificate} is no PEM certificate`, cause);
  }
  let matches: boolean;
  try {
    matches = parsed.checkPrivateKey(createPrivateKey({ key, passphrase: tls.keyPassword }));
  } catch (cause) {
    throw invalid(
      `kafka.tls.key: ${tls.key} is no PEM key, or kafka.tls.keyPassword does not open it`,
      cause,
    );
  }
  if (!matches) throw invalid(`kafka.tls.key: ${tls.key} does not belong to ${tls.certificate}`);
}

function readSetting(file: string, setting: string): string {
  try {
    return readBoundedFile(file, MAX_FILE_BYTES);
  } catch (cause) {
    throw invalid(`${setting}: ${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}

function invalid(message: string, cause?: unknown): AustreamError {
  return new AustreamError('CONFIG_INVALID', message, {
    fix: 'check the file, and that the user who runs austream can read it',
    cause,
  });
}

/** A digest of credentials: it differs when any of them has changed. */
export function credentialsDigest({ ca, certificate, key, secret }: Credentials): string {
  return createHash('sha256')
    .update(JSON.stringify([ca, certificate, key, secret]))
    .digest('base64');
}
