import { readFileSync } from 'node:fs';
import { AustreamError } from '../errors.ts';
import { queryPasswords } from './credentials.ts';
import type { CameraOptions } from './options.ts';

const REFERENCE = /\$\{(?:(file):([^}]+)|([A-Za-z_][A-Za-z0-9_]*))\}/g;
const WHOLE = new RegExp(`^${REFERENCE.source}$`);
const URL_PASSWORD = /^[a-z0-9]+:\/\/[^/]*?:(.*)@/i;

/** Whether a text is one reference to a secret (`${NAME}` or `${file:/path}`) and nothing else. */
export function isReference(text: string): boolean {
  return WHOLE.test(text);
}

/** The passwords in a camera's URL: before its host, in its path, in its query. */
export function passwordsOf(url: string): string[] {
  // Some makes of camera go on with `_channel=1`.
  const inQuery = queryPasswords(url).map(
    (password) => /^(\$\{[^}]+\})[_/?#]/.exec(password)?.[1] ?? password,
  );
  return [...(URL_PASSWORD.exec(url)?.slice(1) ?? []), ...inQuery];
}

/**
 * Puts secrets where their references stand: `${NAME}` of the environment, `${file:/path}` of a file (whose last
 * line-break does not count). Throws CONFIG_INVALID where one is missing on this host; `what` names the setting.
 */
export function resolveReferences(text: string, what: string, env: NodeJS.ProcessEnv = process.env): string {
  return text.replace(REFERENCE, (reference, _, file: string | undefined, name: string) => {
    const value = file === undefined ? env[name] : read(file);
    if (value !== undefined) return value;
    throw new AustreamError('CONFIG_INVALID', `${what}: ${reference} is not set on this host`, {
      fix: file === undefined ? `set the environment variable ${name}` : `mount the secret at ${file}`,
    });
  });
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch {
    return undefined;
  }
}

/** The camera with its password read from where it lies. Throws CAMERA_UNAUTHORIZED. */
export function withPassword(camera: CameraOptions): CameraOptions {
  if (camera.passwordFile === undefined) return camera;
  try {
    const { passwordFile, ...rest } = camera;
    return { ...rest, password: readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '') };
  } catch (cause) {
    throw new AustreamError(
      'CAMERA_UNAUTHORIZED',
      `the password file ${camera.passwordFile} cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
    );
  }
}
