import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { splitCredentials } from '../camera/credentials.ts';
import { isLoopback } from '../http/host-header.ts';
import { formatPath } from '../issues.ts';
import { log } from '../log.ts';
import { type Config, configSources } from './schema.ts';
import { isSecretKey, passwordsOfUrl } from './secret-values.ts';

/** A valid setting that gives a secret, or what is protected by one, to others. */
export interface ConfigWarning {
  /** E.g. `kafka.sasl`. */
  readonly path: string;
  readonly message: string;
  readonly fix: string;
}

const REFERENCE = /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/;
/** Cameras that a warning names. */
const MAX_NAMED = 5;

/** What in a config is unsafe. Loopback addresses are safe: nobody else can listen there. */
export function configWarnings(
  config: Config,
  file: string,
  env: NodeJS.ProcessEnv = process.env,
): ConfigWarning[] {
  return [
    ...kafkaWarnings(config.kafka),
    ...registryWarnings(config.kafka.registry),
    ...httpWarnings(config),
    ...cameraWarnings(config.cameras),
    ...writtenSecrets(file),
    ...readableFiles(config),
    ...environmentWarnings(env),
  ];
}

/** Logs each warning once, at the start of a process. */
export function logConfigWarnings(config: Config, file: string): void {
  for (const { path, message, fix } of configWarnings(config, file))
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
      message: `${names(unencrypted.map(({ id }) => id))}: the password is sent in clear text if the camera asks for Basic authentication`,
      fix: 'set auth: digest for the camera, or use rtsps://',
    },
  ];
}

/** Secrets that stand in the config itself, and who can read them there. */
function writtenSecrets(file: string): ConfigWarning[] {
  const { value, files } = configSources(file);
  const found = literalSecrets(value, []);
  const urls = found.filter(({ inUrl }) => inUrl).map(({ path }) => path);
  const exposed = found.length > 0 ? files.filter(isReadableByAll) : [];
  return [
    ...(urls.length > 0
      ? [
          {
            path: urls[0]!,
            message: `${urls.length > 1 ? `and ${urls.length - 1} more: ` : ''}a password is written in the URL, which is shown and copied more easily than a key of its own`,
            fix: 'move it to passwordFile, or to password: ${NAME}',
          },
        ]
      : []),
    ...exposed.map((path) => ({
      path: found[0]!.path,
      message: `is a secret, and every user of this machine can read ${path}`,
      fix: `chmod o-r ${path}, or move the secret to a file or an environment variable`,
    })),
  ];
}

function literalSecrets(value: unknown, path: readonly PropertyKey[]): { path: string; inUrl: boolean }[] {
  if (typeof value === 'string') {
    const key = [...path].reverse().find((part) => typeof part === 'string') ?? '';
    if (isSecretKey(String(key)))
      return REFERENCE.test(value) ? [] : [{ path: formatPath(path), inUrl: false }];
    const written = passwordsOfUrl(value).some(
      (password) => !REFERENCE.test(password.replace(/[_/?#].*$/, '')) && !REFERENCE.test(password),
    );
    return written ? [{ path: formatPath(path), inUrl: true }] : [];
  }
  if (value === null || typeof value !== 'object') return [];
  const entries: [PropertyKey, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, item]) => literalSecrets(item, [...path, key]));
}

/** Files that hold secrets and that every user of this machine can read. */
function readableFiles(config: Config): ConfigWarning[] {
  const { kafka, cluster } = config;
  const files: [path: string, file: string | undefined][] = [
    ...namedFiles(config, []),
    ['kafka.tls.key', kafka.tls?.key],
    ...secretFiles(cluster.secrets.dir).map((file): [string, string] => ['cluster.secrets.dir', file]),
  ];
  const exposed = files.filter(([, file]) => file !== undefined && isReadableByAll(file));
  if (exposed.length === 0) return [];
  return [
    {
      path: exposed[0]![0],
      message: `can be read by every user of this machine: ${names(exposed.map(([, file]) => file!))}`,
      fix: 'chmod o-r, and give the files to the user that runs austream',
    },
  ];
}

/** Files that keys such as `passwordFile` and `tokenFile` name. */
function namedFiles(value: unknown, path: readonly PropertyKey[]): [path: string, file: string][] {
  if (value === null || typeof value !== 'object') return [];
  const entries: [PropertyKey, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, item]) => {
    const isFile =
      typeof item === 'string' && /File$/.test(String(key)) && isSecretKey(String(key).slice(0, -4));
    return isFile ? [[formatPath([...path, key]), item]] : namedFiles(item, [...path, key]);
  });
}

function secretFiles(dir: string | null): string[] {
  if (dir === null) return [];
  try {
    return readdirSync(dir).map((name) => join(dir, name));
  } catch {
    return [];
  }
}

function isReadableByAll(file: string): boolean {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFile() === true && (stats.mode & 0o004) !== 0;
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

function names(all: readonly string[]): string {
  const more = all.length - MAX_NAMED;
  return `${all.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
