import { readFileSync, realpathSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { AustreamError } from '../errors.ts';
import { registerSecrets } from '../redaction.ts';
import type { AllowList } from './allow-list.ts';
import { queryPasswords } from './credentials.ts';

const SECRET_REFERENCE = /\$\{(?:(file):([^}]+)|([A-Za-z_][A-Za-z0-9_]*))\}/g;
const ONLY_SECRET_REFERENCE = new RegExp(`^${SECRET_REFERENCE.source}$`);
const URL_PASSWORD = /^[a-z0-9]+:\/\/[^/]*?:(.*)@/i;
/** A larger file is not a password. */
const MAX_SECRET_BYTES = 65_536;

/** Where secrets are read from. Both throw if the secret may not be used or is missing. */
export interface SecretSource {
  /** The content of a secret file. `setting` is named in the error. */
  file(path: string, setting: string): string;
  variable(name: string, setting: string): string;
}

/** Whether a text is exactly one secret reference: `${NAME}` or `${file:/path}`. */
export function isSecretReference(text: string): boolean {
  return ONLY_SECRET_REFERENCE.test(text);
}

/** Whether a text contains a secret reference. */
export function hasSecretReference(text: string): boolean {
  return text.search(SECRET_REFERENCE) >= 0;
}

/** The passwords in a camera's URL: before its host, in its path or in its query. Not decoded. */
export function passwordsInUrl(url: string): string[] {
  // Some cameras append `_channel=1` to the password.
  const inQuery = queryPasswords(url).map(
    (password) => /^(\$\{[^}]+\})[_/?#]/.exec(password)?.[1] ?? password,
  );
  return [...(URL_PASSWORD.exec(url)?.slice(1) ?? []), ...inQuery];
}

/** Replaces secret references by their secrets: `${NAME}` and `${file:/path}`. `setting` is named in errors. */
export function resolveSecretReferences(text: string, setting: string, source: SecretSource): string {
  return text.replace(SECRET_REFERENCE, (_, _file, file: string | undefined, name: string) =>
    file === undefined ? source.variable(name, setting) : source.file(file, setting),
  );
}

/** Secrets of the user who runs this process, for cameras of its own config file or command line: any of them. */
export function ownSecrets(env: NodeJS.ProcessEnv = process.env): SecretSource {
  return {
    file: (path, setting) => readSecret(path, setting),
    variable: (name, setting) => readVariable(name, setting, env),
  };
}

/** The secrets that a guest camera may use. Throws CAMERA_NOT_ALLOWED for any other, without looking at it. */
export function allowedSecretsOf(
  { secrets: { dir, env: allowed } }: Pick<AllowList, 'secrets'>,
  env: NodeJS.ProcessEnv = process.env,
): SecretSource {
  return {
    file: (path, setting) => readSecret(allowedFile(path, dir, setting), setting),
    variable(name, setting) {
      if (!allowed.some((entry) => isSameName(entry, name)))
        throw notAllowed(setting, `\${${name}}`, 'cluster.secrets.env', 'add the name of the variable to it');
      return readVariable(name, setting, env);
    },
  };
}

/**
 * The real path of a file below the allowed folder. The folder itself may contain links, as Kubernetes' secrets do, but
 * none that leads out of it. Throws CAMERA_NOT_ALLOWED.
 */
export function allowedFile(path: string, dir: string | null, setting: string): string {
  const refuse = () =>
    notAllowed(setting, path, 'cluster.secrets.dir', 'set it to the folder of the cameras’ secrets');
  if (dir === null || path.split(sep).includes('..')) throw refuse();
  const absolute = resolve(dir, path);
  if (!isBelow(absolute, resolve(dir))) throw refuse();
  const real = realPath(absolute, setting);
  if (!isBelow(real, realPath(dir, 'cluster.secrets.dir'))) throw refuse();
  return requireSmallFile(real, setting);
}

/** Whether a path is below a folder. Both are absolute and normalized. */
export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

function realPath(path: string, setting: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw unreadable(path, setting, cause);
  }
}

/** Whether an entry of `cluster.secrets.env`, a name or a prefix that ends with `*`, covers a variable. */
export function isSameName(entry: string, name: string): boolean {
  return entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : entry === name;
}

function notAllowed(setting: string, what: string, option: string, cure: string): AustreamError {
  return new AustreamError('CAMERA_NOT_ALLOWED', `${setting}: ${option} does not allow ${what}`, {
    fix: `${cure} in the config of this machine, or put the camera into the config itself`,
  });
}

/** A secret from a file, without its final line break. Throws CAMERA_UNAUTHORIZED if the file cannot be read. */
function readSecret(path: string, setting: string): string {
  try {
    const secret = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    registerSecrets([secret]);
    return secret;
  } catch (cause) {
    throw unreadable(path, setting, cause);
  }
}

/** Named pipes and devices would block this process, or never end. */
function requireSmallFile(path: string, setting: string): string {
  const stats = statSync(path);
  if (stats.isFile() && stats.size <= MAX_SECRET_BYTES) return path;
  throw unreadable(path, setting, { code: 'it is not a file of at most 64 KiB' });
}

function unreadable(path: string, setting: string, cause: unknown): AustreamError {
  return new AustreamError(
    'CAMERA_UNAUTHORIZED',
    `${setting}: the secret file ${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
    { fix: `mount the secret at ${path}, readable for the user that runs austream` },
  );
}

function readVariable(name: string, setting: string, env: NodeJS.ProcessEnv): string {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value !== undefined) {
    registerSecrets([value]);
    return value;
  }
  throw new AustreamError('CONFIG_INVALID', `${setting}: \${${name}} is not set on this host`, {
    fix: `set the environment variable ${name}`,
  });
}
