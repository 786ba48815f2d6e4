import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../src/doctor/host-checks.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-doctor-'));
const camera = createServer().listen(0, '127.0.0.1');
let port: number;
beforeAll(() => {
  port = (camera.address() as { port: number }).port;
});
afterAll(() => {
  camera.close();
  rmSync(folder, { recursive: true });
});

interface Diagnosis {
  code: number;
  text: string;
  of(name: string): Finding | undefined;
}

async function doctor(args: string[], env = process.env): Promise<Diagnosis> {
  const { code, stdout } = await promisify(execFile)('bin/austream', ['doctor', ...args], { env }).then(
    (done) => ({ code: 0, stdout: done.stdout }),
    (error: { code: number; stdout: string }) => error,
  );
  const json = args.includes('--json') ? (JSON.parse(stdout) as { findings: Finding[] }) : { findings: [] };
  return { code, text: stdout, of: (name) => json.findings.find((finding) => finding.name === name) };
}

function configFile(config: object): string {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

test('finds all well on a machine that was set up', async () => {
  const config = configFile({
    cameras: [{ id: 'lobby', url: `rtsp://127.0.0.1:${port}/stream` }],
    kafka: { embedded: true },
  });
  const { code, text } = await doctor(['-c', config]);
  expect(text).toContain('✓ GStreamer, RTSP: rtspsrc');
  expect(text).toContain(`✓ camera lobby: 127.0.0.1:${port} answers`);
  expect(text).toContain('✓ model: austream-edge');
  expect(text).toContain('everything is in place');
  expect(code).toBe(0);
});

test('says what is missing and what to install, and never a password', async () => {
  const config = configFile({
    cameras: [
      { id: 'away', url: 'rtsp://viewer:canary-secret@127.0.0.1:9/stream' },
      { id: 'clip', url: 'file:///nowhere/clip.mp4' },
    ],
    kafka: { brokers: ['127.0.0.1:9'], spool: { dir: '/proc/nothing/spool' } },
  });
  // Node alone: neither GStreamer's tools nor anything else is found.
  const bare = { ...process.env, PATH: `${dirname(process.execPath)}:${folder}` };
  for (const tool of ['sh', 'readlink', 'dirname'])
    writeFileSync(join(folder, tool), `#!/bin/sh\nPATH=/usr/bin:/bin exec ${tool} "$@"\n`, { mode: 0o755 });
  const found = await doctor(['-c', config, '--json'], bare);
  expect(found.code).toBe(1);
  expect(found.of('GStreamer, RTSP')).toMatchObject({
    state: 'missing',
    fix: expect.stringContaining('apt-get install gstreamer1.0-tools gstreamer1.0-plugins-good'),
  });
  expect(found.of('Kafka')).toMatchObject({
    state: 'missing',
    detail: expect.stringContaining('127.0.0.1:9'),
    fix: expect.stringContaining('kafka.brokers'),
  });
  expect(found.of('camera away')).toMatchObject({ state: 'missing', detail: '127.0.0.1:9: ECONNREFUSED' });
  expect(found.of('camera clip')?.state).toBe('missing');
  expect(found.of('spool')?.state).toBe('missing');
  expect(found.text).not.toContain('canary-secret');
}, 60_000);
