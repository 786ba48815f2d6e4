import { type CameraOptions, cameraOptions } from '../../camera/options.ts';
import { cameraRedactor } from '../../camera/redaction.ts';
import { isSecretReference, passwordsInUrl } from '../../camera/secrets.ts';
import { AustreamError } from '../../errors.ts';
import { describeIssues } from '../../issues.ts';
import { REDACTED } from '../../redaction.ts';

/** A camera as it is on the topic: secrets are references, which the worker that runs the camera resolves. */
export type CameraDefinition = CameraOptions;

/** Validates a camera for the topic. Throws ARGUMENT_INVALID, also if it holds a password in plain text. */
export function defineCamera(input: unknown): CameraDefinition {
  const result = cameraOptions.safeParse(input);
  if (!result.success)
    throw new AustreamError('ARGUMENT_INVALID', `not a valid camera: ${describeIssues(result.error)}`);
  const key = plaintextPasswordKey(result.data);
  if (key !== null)
    throw new AustreamError(
      'ARGUMENT_INVALID',
      `camera ${result.data.id}: ${key} holds a password in plain text`,
      {
        fix: "write a reference, '${NAME}' (environment of the ingest workers) or '${file:/path}': others can read the topic",
      },
    );
  return result.data;
}

/** The camera without plain-text passwords, which other writers may have put on the topic. */
export function redactedCamera(camera: CameraDefinition): CameraDefinition {
  if (plaintextPasswordKey(camera) === null) return camera;
  const { url, password } = camera;
  return {
    ...camera,
    url: cameraRedactor(camera)(url),
    ...(password === undefined ? {} : { password: REDACTED }),
  };
}

/** The key that holds a password in plain text; null: none does. */
function plaintextPasswordKey({ password, url }: CameraDefinition): 'password' | 'url' | null {
  if (password !== undefined && !isSecretReference(password)) return 'password';
  return passwordsInUrl(url).every(isSecretReference) ? null : 'url';
}

export function encodeCamera(camera: CameraDefinition): Buffer {
  return Buffer.from(JSON.stringify(camera));
}

/** Larger records of the camera topic are not parsed. */
const MAX_RECORD_BYTES = 64 * 1024;

/** Throws CONFIG_INVALID if the record is not a camera of this version, or not that of its key. */
export function decodeCamera(key: string, value: Buffer): CameraDefinition {
  if (value.length > MAX_RECORD_BYTES)
    throw new AustreamError('CONFIG_INVALID', `its record has ${value.length} bytes, too many for a camera`);
  let json: unknown;
  try {
    json = JSON.parse(value.toString());
  } catch {
    // Without the cause: its message quotes the record, which may hold a password.
    throw new AustreamError('CONFIG_INVALID', 'its record is not JSON');
  }
  const result = cameraOptions.safeParse(json);
  if (!result.success)
    throw new AustreamError(
      'CONFIG_INVALID',
      `its record is not a valid camera: ${describeIssues(result.error)}`,
    );
  // The key removes the camera. Under another key it could not be removed, or would replace one of this name.
  if (result.data.id !== key)
    throw new AustreamError('CONFIG_INVALID', `its record is that of the camera ${result.data.id}`);
  return result.data;
}
