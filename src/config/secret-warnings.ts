import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isBelow, isSameName } from '../camera/secrets.ts';
import { formatPath } from '../issues.ts';
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
/** Entries of a list that a warning names. */
const MAX_NAMED = 5;

/** Secrets that others can read, in the config or in files, and secrets that are shared with guest cameras. */
export function secretWarnings(config: Config, file: string): ConfigWarning[] {
  return [...writtenSecrets(file), ...readableFiles(config), ...sharedSecrets(config, file)];
}

/** Secrets of this process that `cluster.secrets` also allows to cameras of the topic. */
function sharedSecrets({ cameras: _, ...rest }: Config, file: string): ConfigWarning[] {
  const { dir, env } = rest.cluster.secrets;
  const files = [['the config', file], ...secretFilesOf(rest)] as const;
  const shared = files.filter(([, path]) => dir !== null && isBelow(resolve(path), resolve(dir)));
  const { cameras: _cameras, ...written } = configSources(file).value as Record<string, unknown>;
  const variables = [...JSON.stringify(written).matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)].map(
    ([, name]) => name!,
  );
  const allowed = [...new Set(variables)].filter((name) => env.some((entry) => isSameName(entry, name)));
  const message = (what: string) => `allows cameras of the topic to use a secret of austream itself: ${what}`;
  return [
    ...(shared.length > 0
      ? [
          {
            path: 'cluster.secrets.dir',
            message: message(fewOf(shared.map(([setting, path]) => `${setting} (${path})`))),
            fix: 'put the secrets of the cameras into a folder of their own',
          },
        ]
      : []),
    ...(allowed.length > 0
      ? [
          {
            path: 'cluster.secrets.env',
            message: message(fewOf(allowed)),
            fix: 'give the variables of the cameras a prefix of their own, such as CAMERA_*',
          },
        ]
      : []),
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
  const files: [path: string, file: string][] = [
    ...secretFilesOf(config),
    ...filesIn(config.cluster.secrets.dir).map((file): [string, string] => ['cluster.secrets.dir', file]),
  ];
  const exposed = files.filter(([, file]) => isReadableByAll(file));
  if (exposed.length === 0) return [];
  return [
    {
      path: exposed[0]![0],
      message: `can be read by every user of this machine: ${fewOf(exposed.map(([, file]) => file))}`,
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

function filesIn(dir: string | null): string[] {
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

/** The secret files of a config, with their settings. */
function secretFilesOf(config: Pick<Config, 'kafka'>): [path: string, file: string][] {
  const key = config.kafka.tls?.key;
  return [
    ...namedFiles(config, []),
    ...(key === undefined ? [] : [['kafka.tls.key', key] as [string, string]]),
  ];
}

/** The first of them, and how many more there are. */
export function fewOf(all: readonly string[]): string {
  const more = all.length - MAX_NAMED;
  return `${all.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
