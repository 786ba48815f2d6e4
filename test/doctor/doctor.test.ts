import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
  /** Exit code. */
  code: number;
  stdout: string;
  finding(name: string): Finding | undefined;
}

async function doctor(args: string[], env = process.env): Promise<Diagnosis> {
  const { code, stdout } = await promisify(execFile)('bin/austream', ['doctor', ...args], { env }).then(
    (done) => ({ code: 0, stdout: done.stdout }),
    (error: { code: number; stdout: string }) => error,
  );
  const json = args.includes('--json') ? (JSON.parse(stdout) as { findings: Finding[] }) : { findings: [] };
  return { code, stdout, finding: (name) => json.findings.find((finding) => finding.name === name) };
}

function configFile(config: object): string {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** As `bin/setup` does. */
beforeAll(() => void execFileSync(fileURLToPath(new URL('../../src/sandbox/build', import.meta.url))));

test('finds nothing missing on a machine that was set up', async () => {
  const config = configFile({
    cameras: [{ id: 'lobby', url: `rtsp://127.0.0.1:${port}/stream` }],
    kafka: { embedded: true },
  });
  const { code, stdout } = await doctor(['-c', config]);
  expect(stdout).toContain('✓ GStreamer, RTSP: rtspsrc');
  expect(stdout).toContain(`✓ camera lobby: 127.0.0.1:${port} answers`);
  expect(stdout).toContain('✓ model: austream-edge');
  expect(stdout).toMatch(/sandbox of camera processes: no_new_privs, no capabilities/);
  expect(stdout).toContain('everything is in place');
  expect(code).toBe(0);
});

test('reports what is missing and how to fix it, and never a password', async () => {
  const config = configFile({
    cameras: [
      { id: 'away', url: 'rtsp://viewer:canary-secret@127.0.0.1:9/stream' },
      { id: 'clip', url: 'file:///nowhere/clip.mp4' },
    ],
    kafka: { brokers: ['127.0.0.1:9'], spool: { dir: '/proc/nothing/spool' } },
  });
  // A PATH with Node only: GStreamer's tools are not found.
  const bareEnv = { ...process.env, PATH: `${dirname(process.execPath)}:${folder}` };
  for (const tool of ['sh', 'readlink', 'dirname'])
    writeFileSync(join(folder, tool), `#!/bin/sh\nPATH=/usr/bin:/bin exec ${tool} "$@"\n`, { mode: 0o755 });
  const diagnosis = await doctor(['-c', config, '--json'], bareEnv);
  expect(diagnosis.code).toBe(1);
  expect(diagnosis.finding('GStreamer, RTSP')).toMatchObject({
    state: 'missing',
    fix: expect.stringContaining('apt-get install gstreamer1.0-tools gstreamer1.0-plugins-good'),
  });
  expect(diagnosis.finding('Kafka')).toMatchObject({
    state: 'missing',
    detail: expect.stringContaining('127.0.0.1:9'),
    fix: expect.stringContaining('kafka.brokers'),
  });
  expect(diagnosis.finding('camera away')).toMatchObject({
    state: 'missing',
    detail: '127.0.0.1:9: ECONNREFUSED',
  });
  expect(diagnosis.finding('camera clip')?.state).toBe('missing');
  expect(diagnosis.finding('spool')?.state).toBe('missing');
  expect(diagnosis.stdout).not.toContain('canary-secret');
}, 60_000);
