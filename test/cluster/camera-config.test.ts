import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { decodeCamera, defineCamera, encodeCamera, resolveCamera } from '../../src/cluster/camera-config.ts';

const dir = mkdtempSync(join(tmpdir(), 'austream-secrets-'));
afterAll(() => rmSync(dir, { recursive: true }));

describe('a camera of the topic', () => {
  it('keeps references, and gets its secrets on the host that runs it', () => {
    writeFileSync(join(dir, 'password'), 'p@ss:w/rd\n');
    vi.stubEnv('CAMERA_USER', 'viewer');
    const camera = defineCamera({
      id: 'lobby',
      url: 'rtsp://10.0.0.7/stream',
      username: '${CAMERA_USER}',
      password: `\${file:${join(dir, 'password')}}`,
    });
    const stored = encodeCamera(camera).toString();
    expect(stored).not.toMatch(/viewer|p@ss/);
    expect(resolveCamera(decodeCamera(Buffer.from(stored)))).toEqual({
      ...camera,
      username: 'viewer',
      password: 'p@ss:w/rd',
    });
    vi.unstubAllEnvs();
  });

  it.each([
    { password: 'hunter2' },
    { password: 'x${NAME}' },
    { url: 'rtsp://viewer:hunter2@10.0.0.7/' },
    { url: 'rtsp://viewer:a@b:c@10.0.0.7/' },
  ])('is refused with a password by value: %o', (wrong) => {
    const given = { id: 'lobby', url: 'rtsp://10.0.0.7/', ...wrong };
    expect(() => defineCamera(given)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }));
    // The message must not show what it complains of.
    expect(() => defineCamera(given)).not.toThrow(/hunter2|a@b/);
  });

  it('may refer to a password within its URL', () => {
    const url = 'rtsp://viewer:${CAMERA_PASSWORD}@10.0.0.7/';
    expect(defineCamera({ id: 'lobby', url }).url).toBe(url);
  });

  it('cannot run where a secret is missing, and names it', () => {
    const camera = defineCamera({ id: 'lobby', url: 'rtsp://h/', password: '${NOWHERE_SET}' });
    expect(() => resolveCamera(camera)).toThrow(
      'camera lobby, password: ${NOWHERE_SET} is not set on this host',
    );
    const file = defineCamera({ id: 'lobby', url: 'rtsp://h/', password: '${file:/not/there}' });
    expect(() => resolveCamera(file)).toThrow('${file:/not/there} is not set on this host');
  });
});
