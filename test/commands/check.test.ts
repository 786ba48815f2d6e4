import { expect, test } from 'vitest';
import { Austream, DEMO_CLIP, Scratch } from '../e2e/austream.ts';

test.each([
  ['*hunter2', /Alias \(\*name\) without its anchor.* at line 5, column 15/],
  ['"hunter2" x', /Unexpected scalar at node end at line 5, column 25/],
])(
  'austream check reports a password that is not valid YAML, %s, and does not quote it',
  async (password, message) => {
    using scratch = new Scratch();
    const camera = `cameras:\n  - id: a\n    url: rtsp://h/\n    username: u\n    password: ${password}\n`;
    const file = scratch.file('austream.yaml', `${camera}kafka: {embedded: true}\n`);
    await using run = new Austream(['check', '-c', file]);
    expect(await run.exited).toBe(2);
    expect(run.stdout).toMatch(message);
    expect(run.stdout + run.stderr).not.toContain('hunter2');
    expect(run.stderr).toBe('');
  },
);

test('austream cameras add --from reports a password that is not valid YAML, too', async () => {
  using scratch = new Scratch();
  const file = scratch.file('cameras.yaml', 'cameras:\n  - id: a\n    password: @hunter2\n');
  await using run = new Austream(['cameras', 'add', '--from', file, '--socket', '/nowhere.sock']);
  expect(await run.exited).toBe(2);
  expect(run.stderr).toMatch(/cameras\.yaml is not valid YAML: .* at line 3, column 15/);
  expect(run.stdout + run.stderr).not.toContain('hunter2');
});

test('austream check, doctor and the log of a start give the same warnings, with exit code 0', async () => {
  using scratch = new Scratch();
  const file = scratch.file('austream.yaml', {
    cameras: [{ id: 'a', url: `file://${DEMO_CLIP}` }],
    kafka: { embedded: true },
    http: { host: '0.0.0.0', port: 0 },
  });
  const warning =
    'http.host is 0.0.0.0, without TLS: other machines can read camera ids and states in /metrics';
  await using text = new Austream(['check', '-c', file]);
  expect(await text.exited).toBe(0);
  expect(text.stdout).toContain(
    `is valid: 1 camera(s), events to the embedded broker\nwarning: ${warning}\n  → listen on`,
  );
  await using json = new Austream(['check', '-c', file, '--json']);
  expect(await json.exited).toBe(0);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, warnings: [{ path: 'http.host' }] });
  await using doctor = new Austream(['doctor', '-c', file]);
  expect(await doctor.exited).toBe(0);
  expect(doctor.stdout).toContain(`· security: ${warning}`);
  await using run = new Austream(['run', '-c', file, '--duration', '1s']);
  await run.exited;
  expect(run.stderr.split(warning)).toHaveLength(2);
});
