import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { splitCredentials } from '../camera/credentials.ts';
import { wallMs } from '../clock.ts';
import { isLoopback } from '../http/host-header.ts';
import { certificatesOf, EXPIRY_FIX, expiryWarning } from '../kafka/certificates.ts';
import { log } from '../log.ts';
import { ignoredOverlays, overlayFolder } from './overlays.ts';
import type { Config } from './schema.ts';
import { type ConfigWarning, fewOf, secretWarnings } from './secret-warnings.ts';

/** What in a config is unsafe, ends soon or is not read. Loopback addresses are safe: nobody else can listen there. */
export function configWarnings(
  config: Config,
  file: string,
  env: NodeJS.ProcessEnv = process.env,
): ConfigWarning[] {
  return [...settingWarnings(config, file, env), ...certificateWarnings(config.kafka)];
}

function settingWarnings(config: Config, file: string, env: NodeJS.ProcessEnv): ConfigWarning[] {
  return [
    ...kafkaWarnings(config.kafka),
    ...registryWarnings(config.kafka.registry),
    ...httpWarnings(config),
    ...openPageWarnings(config.dashboard),
    ...cameraWarnings(config.cameras),
    ...secretWarnings(config, file),
    ...environmentWarnings(env),
    ...overlayWarnings(file),
  ];
}

function overlayWarnings(file: string): ConfigWarning[] {
  const folder = overlayFolder(file);
  const names = existsSync(folder) ? ignoredOverlays(readdirSync(folder)) : [];
  return names.map((name) => ({
    path: join(folder, name),
    message: 'is not read: names of overlays end in .yaml',
    fix: `rename it to ${name.replace(/\.\w+$/, '.yaml')}`,
  }));
}

/** Logs each once, at the start of a process, but no certificate that expires: `CertificateMonitor` does. */
export function logConfigWarnings(config: Config, file: string): void {
  for (const { path, message, fix } of settingWarnings(config, file, process.env))
    log.warn({ setting: path }, `${path} ${message} (${fix})`);
}

function kafkaWarnings({ brokers = [], sasl, tls }: Config['kafka']): ConfigWarning[] {
  const warnings: ConfigWarning[] = [];
  const remote = brokers.some((broker) => !isLoopback(broker.replace(/:\d+$/, '')));
  const secret = sasl && (sasl.mechanism === 'OAUTHBEARER' ? 'an access token' : 'the password');
  if (remote && sasl && !tls?.enabled)
    warnings.push({
      path: 'kafka.sasl',
      message: sasl.mechanism.startsWith('SCRAM')
        ? 'is used without TLS: who listens can try passwords offline, and read and change every record'
        : `sends ${secret} without TLS: who listens can use it`,
      fix: 'set kafka.tls, and the TLS port of the brokers',
    });
  if (remote && tls?.enabled && !tls.verify)
    warnings.push({
      path: 'kafka.tls.verify',
      message: 'is false: any server can pose as the brokers',
      fix: 'set kafka.tls.ca to the certificate authority of the brokers, and remove verify',
    });
  if (sasl?.mechanism === 'OAUTHBEARER' && isPlainHttp(sasl.tokenEndpoint))
    warnings.push({
      path: 'kafka.sasl.tokenEndpoint',
      message: 'gets the client secret over plain HTTP: who listens can use it',
      fix: 'write https://',
    });
  return warnings;
}

function registryWarnings(registry: Config['kafka']['registry']): ConfigWarning[] {
  if (registry === undefined || !isPlainHttp(registry.url)) return [];
  if (registry.username === undefined && registry.password === undefined) return [];
  return [
    {
      path: 'kafka.registry.url',
      message: 'gets the password over plain HTTP: who listens can use it',
      fix: 'write https://',
    },
  ];
}

function certificateWarnings(kafka: Config['kafka']): ConfigWarning[] {
  return certificatesOf(kafka).flatMap((certificate) => {
    const message = expiryWarning(certificate, wallMs() / 1_000);
    return message === null ? [] : [{ path: certificate.setting, message, fix: EXPIRY_FIX }];
  });
}

function httpWarnings({ http, dashboard }: Config): ConfigWarning[] {
  if (http.port === null || http.behindTls || isLoopback(http.host)) return [];
  const secrets = http.token !== undefined || dashboard.users.length > 0;
  return [
    {
      path: 'http.host',
      message: secrets
        ? `is ${http.host}, without TLS: who listens on the network can use the tokens of the live page`
        : `is ${http.host}, without TLS: other machines can read camera ids and states in /metrics`,
      fix: 'listen on 127.0.0.1 behind a proxy with TLS; where TLS or a network policy is in front, set http.behindTls: true',
    },
  ];
}

function openPageWarnings({ open }: Config['dashboard']): ConfigWarning[] {
  if (!open) return [];
  return [
    {
      path: 'dashboard.open',
      message:
        'is true: every user and program of this machine can see and change the cameras on the live page',
      fix: 'remove it; austream prints a link that opens the page, and dashboard.users names people',
    },
  ];
}

function cameraWarnings(cameras: Config['cameras']): ConfigWarning[] {
  const unencrypted = cameras.filter(({ url, username, password, passwordFile, auth }) => {
    const { url: bare, password: inUrl } = splitCredentials(url);
    const hasPassword = [username, password, passwordFile, inUrl].some((value) => value !== undefined);
    return hasPassword && auth === 'auto' && /^rtsp:/i.test(bare) && !isLoopback(hostName(bare));
  });
  if (unencrypted.length === 0) return [];
  return [
    {
      path: 'cameras',
      message: `${fewOf(unencrypted.map(({ id }) => id))}: the password is sent in clear text if the camera asks for Basic authentication`,
      fix: 'set auth: digest for the camera, or use rtsps://',
    },
  ];
}

function environmentWarnings(env: NodeJS.ProcessEnv): ConfigWarning[] {
  const endpoints = Object.entries(env).filter(
    ([name, value]) => /^OTEL_.*_ENDPOINT$/.test(name) && isPlainHttp(value ?? ''),
  );
  const hasHeaders = Object.keys(env).some((name) => /^OTEL_.*_HEADERS$/.test(name));
  return [
    ...(env.NODE_TLS_REJECT_UNAUTHORIZED === '0'
      ? [
          {
            path: 'NODE_TLS_REJECT_UNAUTHORIZED',
            message: 'is 0: no certificate is checked',
            fix: 'remove this environment variable, and name the certificate authorities in the config',
          },
        ]
      : []),
    ...(hasHeaders && endpoints.length > 0
      ? [
          {
            path: endpoints[0]![0],
            message: 'gets the headers of OTEL_…_HEADERS over plain HTTP: who listens can use them',
            fix: 'write https://',
          },
        ]
      : []),
  ];
}

function isPlainHttp(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed?.protocol === 'http:' && !isLoopback(parsed.hostname);
}

function hostName(url: string): string {
  return URL.parse(url)?.hostname ?? '';
}
