import { describe, expect, it } from 'vitest';
import {
  decodeCamera,
  defineCamera,
  encodeCamera,
  redactedCamera,
} from '../../../src/cluster/ingest/camera-definition.ts';

describe('a camera on the topic', () => {
  it('keeps references to secrets, which the worker that runs it resolves', () => {
    const camera = defineCamera({
      id: 'lobby',
      url: 'rtsp://10.0.0.7/stream',
      username: '${CAMERA_USER}',
      password: '${file:/run/secrets/lobby}',
    });
    const stored = encodeCamera(camera).toString();
    expect(decodeCamera(camera.id, Buffer.from(stored))).toEqual(camera);
    expect(camera).toMatchObject({ username: '${CAMERA_USER}', password: '${file:/run/secrets/lobby}' });
  });

  it.each([
    { password: 'hunter2' },
    { password: 'x${NAME}' },
    { url: 'rtsp://viewer:hunter2@10.0.0.7/' },
    { url: 'rtsp://viewer:a@b:c@10.0.0.7/' },
    { url: 'rtsp://10.0.0.7/user=viewer&password=hunter2' },
    { url: 'rtsp://10.0.0.7/user=viewer_password=hunter2_channel=1' },
    { url: 'rtsp://10.0.0.7/?pwd=${NAME}hunter2' },
    { 'password:hunter2': null },
  ])('is rejected with a password in plain text: %o', (wrong) => {
    const input = { id: 'lobby', url: 'rtsp://10.0.0.7/', ...wrong };
    expect(() => defineCamera(input)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }));
    // The message must not quote the password.
    expect(() => defineCamera(input)).not.toThrow(/hunter2|a@b/);
  });

  it.each([
    'rtsp://viewer:${CAMERA_PASSWORD}@10.0.0.7/',
    'rtsp://viewer:${file:/run/secrets/camera}@10.0.0.7/',
    'rtsp://10.0.0.7/?user=viewer&pwd=${CAMERA_PASSWORD}',
    'rtsp://10.0.0.7/user=viewer_password=${CAMERA_PASSWORD}_channel=1',
  ])('may have a reference to a password in its URL, and is shown unchanged: %s', (url) => {
    const camera = defineCamera({ id: 'lobby', url });
    expect(camera.url).toBe(url);
    expect(redactedCamera(camera)).toEqual(camera);
  });

  it.each([
    { url: 'rtsp://viewer:hunter2@10.0.0.7/', password: 'x1' },
    { url: 'rtsp://10.0.0.7/?user=viewer&pwd=hunter2' },
  ])('that others wrote with a password in plain text is shown redacted: %o', (record) => {
    const shown = JSON.stringify(
      redactedCamera(decodeCamera('a', Buffer.from(JSON.stringify({ id: 'a', ...record })))),
    );
    expect(shown).not.toMatch(/hunter2|x1/);
    expect(shown).toContain('10.0.0.7');
  });

  it.each([
    ['{"id": "a", "url": "rtsp://h/", "password": hunter2}', 'its record is not JSON'],
    ['{"id": "a", "url": "hunter2"}', /^its record is not a valid camera: url: must begin with/],
  ])('that cannot be read is reported without being quoted: %s', (record, message) => {
    expect(() => decodeCamera('a', Buffer.from(record))).toThrow(message);
    expect(() => decodeCamera('a', Buffer.from(record))).not.toThrow(/hunter2/);
  });
});
