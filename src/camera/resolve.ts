import { realpathSync } from 'node:fs';
import { normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AustreamError } from '../errors.ts';
import { describeIssues } from '../issues.ts';
import type { AddressRule } from './address-list.ts';
import type { AllowList, CameraOrigin } from './allow-list.ts';
import { type CameraOptions, cameraOptions } from './options.ts';
import {
  allowedFile,
  allowedSecretsOf,
  hasSecretReference,
  isBelow,
  ownSecrets,
  resolveSecretReferences,
  type SecretSource,
} from './secrets.ts';

/** A camera that can be connected: its secrets are values, and its addresses are known to be allowed or still to check. */
export interface ResolvedCamera {
  readonly camera: CameraOptions;
  /** Empty: it may be anywhere. */
  readonly addressRules: readonly AddressRule[];
}

/**
 * Resolves the secrets of a camera and checks that it may use them, and its source. One rule for every camera that is
 * not in the config file (docs/cluster.md, Secrets). Throws CAMERA_NOT_ALLOWED, CAMERA_UNAUTHORIZED (a secret file cannot
 * be read), CONFIG_INVALID (a variable is not set, or a value is not valid).
 */
export function resolveCamera(
  camera: CameraOptions,
  origin: CameraOrigin,
  allowed: AllowList,
): ResolvedCamera {
  if (origin === 'config') return { camera: withPassword(camera, ownSecrets()), addressRules: [] };
  const secrets = allowedSecretsOf(allowed);
  // The control socket's client and the page send values, which may look like references.
  const named = origin === 'topic' ? resolveReferences(camera, secrets) : camera;
  const ca = named.tls.ca && allowedFile(named.tls.ca, allowed.secrets.dir, 'tls.ca');
  const resolved = withPassword(ca ? { ...named, tls: { ...named.tls, ca } } : named, secrets);
  const usesSecret = named !== camera || camera.passwordFile !== undefined;
  if (origin !== 'socket') checkPath(resolved.url, allowed.sources.paths);
  return {
    camera: resolved,
    addressRules: isLocalPath(resolved.url) ? [] : addressRules(origin, usesSecret, allowed),
  };
}

/** The camera with the password of its `passwordFile`. */
function withPassword(camera: CameraOptions, secrets: SecretSource): CameraOptions {
  if (camera.passwordFile === undefined) return camera;
  const { passwordFile, ...rest } = camera;
  return { ...rest, password: secrets.file(passwordFile, 'passwordFile') };
}

/** The camera with its secret references resolved; the same object if it has none. Also for a command's own cameras. */
export function resolveReferences(camera: CameraOptions, secrets: SecretSource): CameraOptions {
  const { url, username, password } = camera;
  const texts = Object.entries({ url, username, password }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && hasSecretReference(entry[1]),
  );
  if (texts.length === 0) return camera;
  const values = texts.map(([key, text]) => [key, resolveSecretReferences(text, key, secrets)] as const);
  const result = cameraOptions.safeParse({ ...camera, ...Object.fromEntries(values) });
  if (result.success) return result.data;
  throw new AustreamError('CONFIG_INVALID', `camera ${camera.id}: ${describeIssues(result.error)}`);
}

function addressRules(
  origin: CameraOrigin,
  usesSecret: boolean,
  { secrets, sources }: AllowList,
): AddressRule[] {
  return [
    ...(origin === 'socket' ? [] : [{ setting: 'cluster.sources.networks', allow: sources.networks }]),
    ...(usesSecret && secrets.hosts !== null
      ? [{ setting: 'cluster.secrets.hosts', allow: secrets.hosts }]
      : []),
  ];
}

function isLocalPath(url: string): boolean {
  return /^(file|v4l2):/i.test(url);
}

/** Throws CAMERA_NOT_ALLOWED for a file or device that is not below one of the paths, also by a link. */
function checkPath(url: string, paths: readonly string[]): void {
  if (!isLocalPath(url)) return;
  const refuse = () =>
    new AustreamError('CAMERA_NOT_ALLOWED', `cluster.sources.paths does not allow ${url}`, {
      fix: 'add its path in the config of this machine, or put the camera into the config itself',
    });
  const path = localPath(url);
  const isAllowed = (candidate: string, folders: readonly string[]) =>
    folders.some((folder) => candidate === folder || isBelow(candidate, folder));
  if (path === null || path.includes('\0') || !isAllowed(path, paths.map(normalize))) throw refuse();
  // A file that does not exist is reported when it is opened.
  const real = realPath(path);
  if (
    real !== null &&
    !isAllowed(
      real,
      paths.map((folder) => realPath(folder) ?? folder),
    )
  )
    throw refuse();
}

function localPath(url: string): string | null {
  try {
    return normalize(fileURLToPath(url.replace(/^v4l2:/i, 'file:')));
  } catch {
    return null;
  }
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
