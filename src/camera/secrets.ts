import { readFileSync } from 'node:fs';
import { AustreamError } from '../errors.ts';
import { queryPasswords } from './credentials.ts';
import type { CameraOptions } from './options.ts';

const SECRET_REFERENCE = /\$\{(?:(file):([^}]+)|([A-Za-z_][A-Za-z0-9_]*))\}/g;
const ONLY_SECRET_REFERENCE = new RegExp(`^${SECRET_REFERENCE.source}$`);
const URL_PASSWORD = /^[a-z0-9]+:\/\/[^/]*?:(.*)@/i;

/** Whether a text is exactly one secret reference: `${NAME}` or `${file:/path}`. */
export function isSecretReference(text: string): boolean {
  return ONLY_SECRET_REFERENCE.test(text);
}

/** The passwords in a camera's URL: before its host, in its path or in its query. Not decoded. */
export function passwordsInUrl(url: string): string[] {
  // Some cameras append `_channel=1` to the password.
  const inQuery = queryPasswords(url).map(
    (password) => /^(\$\{[^}]+\})[_/?#]/.exec(password)?.[1] ?? password,
  );
  return [...(URL_PASSWORD.exec(url)?.slice(1) ?? []), ...inQuery];
}

/**
 * Replaces secret references by their secrets: `${NAME}` from the environment, `${file:/path}` from a file, without
 * its final line break. Throws CONFIG_INVALID if one is missing on this host. `setting` is named in the error.
 */
export function resolveSecretReferences(
  text: string,
  setting: string,
  env: NodeJS.ProcessEnv = process.env,
): string {
  return text.replace(SECRET_REFERENCE, (reference, _, file: string | undefined, name: string) => {
    const value = file === undefined ? env[name] : tryReadSecret(file);
    if (value !== undefined) return value;
    throw new AustreamError('CONFIG_INVALID', `${setting}: ${reference} is not set on this host`, {
      fix: file === undefined ? `set the environment variable ${name}` : `mount the secret at ${file}`,
    });
  });
}

/** A secret from a file, without its final line break. */
function readSecret(file: string): string {
  return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
}

function tryReadSecret(file: string): string | undefined {
  try {
    return readSecret(file);
  } catch {
    return undefined;
  }
}

/** Reads the password of a camera with a `passwordFile`. Throws CAMERA_UNAUTHORIZED if the file cannot be read. */
export function withPasswordFromFile(camera: CameraOptions): CameraOptions {
  if (camera.passwordFile === undefined) return camera;
  try {
    const { passwordFile, ...rest } = camera;
    return { ...rest, password: readSecret(passwordFile) };
  } catch (cause) {
    throw new AustreamError(
      'CAMERA_UNAUTHORIZED',
      `the password file ${camera.passwordFile} cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
    );
  }
}
