import { redactor } from '../redaction.ts';
import { splitCredentials } from './credentials.ts';

/** Base64 of `:`, a user name and password that are both empty. */
const NO_CREDENTIALS = 'Og==';

/** The redactor of one camera: its password, that of its URL, and both as base64 for basic authentication. */
export function cameraRedactor(camera: {
  url: string;
  username?: string | undefined;
  password?: string | undefined;
}): (text: string) => string {
  const { username, password } = splitCredentials(camera.url);
  const pairs = [
    [camera.username, camera.password],
    [username, password],
  ].map(([user, secret]) => Buffer.from(`${user ?? ''}:${secret ?? ''}`).toString('base64'));
  return redactor([camera.password, password, ...pairs.filter((pair) => pair !== NO_CREDENTIALS)]);
}
