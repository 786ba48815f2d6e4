import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, configSchema, loadConfig, parseConfig } from '../../src/config/schema.ts';

const EXAMPLE = readFileSync(new URL('../../austream.example.yaml', import.meta.url), 'utf8');

function mistakes(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    parseConfig(text, 'test.yaml', env);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

/** Every key of a config, defaults filled in, as dotted paths. */
function keys(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => keys(item, `${path}[]`));
  if (value === null || typeof value !== 'object') return [path];
  return Object.entries(value).flatMap(([key, item]) => keys(item, path ? `${path}.${key}` : key));
}

describe('config', () => {
  it('parses the commented example, which shows every default as it is', () => {
    const shown = parseConfig(EXAMPLE, 'austream.example.yaml', { LOBBY_PASSWORD: 'secret' });
    const [camera] = shown.cameras;
    const { id, url, username, password } = camera!;
    const smallest = configSchema.parse({
      cameras: [{ id, url, username, password }],
      kafka: { brokers: shown.kafka.brokers },
    });
    expect(shown).toEqual(smallest);
  });

  it('names every key that has a default in the example', () => {
    const defaults = keys(
      configSchema.parse({ cameras: [{ id: 'a', url: 'rtsp://a' }], kafka: { embedded: true } }),
    );
    const named = new Set(EXAMPLE.match(/[A-Za-z]+(?=:)/g));
    const unnamed = defaults.filter((path) => !named.has(path.replaceAll('[]', '').split('.').at(-1)!));
    expect(unnamed).toEqual([]);
  });

  it('takes the smallest configs', () => {
    expect(mistakes('{cameras: [{id: lobby, url: "rtsp://a"}], kafka: {brokers: ["host:9092"]}}')).toEqual(
      [],
    );
    expect(mistakes('{cameras: [{id: lobby, url: "rtsp://a"}], kafka: {embedded: true}}')).toEqual([]);
  });

  it('explains every mistake at once, with its path', () => {
    expect(
      mistakes(`
cameras:
  - {id: lobby, url: "http://a", colour: red}
  - {id: lobby, url: "rtsp://a", analysisFps: 0}
infer: {hop: sixteen, smoothing: {mode: sideways}}
kafka: {}
`),
    ).toEqual([
      expect.stringMatching(/^cameras\[0\]\.url: must begin with rtsp:/),
      'cameras[0].colour: is not a known key',
      expect.stringMatching(/^cameras\[1\]\.analysisFps: .*1/),
      expect.stringMatching(/^infer\.hop: .*number/),
      expect.stringMatching(/^infer\.smoothing\.mode: .*"causal"/),
      expect.stringMatching(/^kafka: needs either brokers/),
    ]);
  });

  it('refuses two cameras of one id', () => {
    const two = '{cameras: [{id: a, url: "rtsp://a"}, {id: a, url: "rtsp://b"}], kafka: {embedded: true}}';
    expect(mistakes(two)).toEqual(['cameras[1].id: is also the id of cameras[0]; ids must differ']);
  });

  it('replaces ${NAME}, and names the variable that is not set', () => {
    const text = 'cameras: [{id: a, url: "rtsp://a", password: "${CAM_PASSWORD}"}]\nkafka: {embedded: true}';
    expect(parseConfig(text, 't', { CAM_PASSWORD: 'x' }).cameras[0]!.password).toBe('x');
    expect(mistakes(text)).toEqual(['cameras[0].password: the environment variable CAM_PASSWORD is not set']);
  });

  it('says where broken YAML is broken', () => {
    expect(mistakes('cameras: [\nkafka: {embedded: true}').join()).toMatch(/line 2/);
  });

  it('shows no password whose quotes, or the space before it, are missing', () => {
    const camera = (password: string) =>
      `cameras: [{id: a, url: "rtsp://a", ${password}}]\nkafka: {embedded: true}`;
    expect(mistakes(camera('password: *hunter2'))).toEqual([
      expect.stringMatching(/^: Alias .* at line 1, column 46$/),
    ]);
    expect(mistakes(camera('password:hunter2'))).toEqual([
      'cameras[0].password…: is not a known key; a space must follow a key’s colon',
    ]);
  });

  it('explains a folder .d that is none', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'austream-config-')), 'austream.yaml');
    writeFileSync(file, 'kafka: {embedded: true}\n');
    writeFileSync(`${file}.d`, '');
    expect(() => loadConfig(file)).toThrow(
      /austream\.yaml\.d is not a valid config:\n {2}cannot be read: ENOTDIR/,
    );
  });

  it('lays the files of its folder .d over the file, in the order of their names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'austream-config-'));
    const file = join(folder, 'austream.yaml');
    const parts = `${file}.d`;
    mkdirSync(parts);
    writeFileSync(file, 'kafka: {brokers: ["one:9092", "two:9092"], lingerMs: 5}\nhttp: {port: 8080}\n');
    writeFileSync(join(parts, 'b.yaml'), 'kafka: {brokers: ["${BROKER}:9093"]}\n');
    writeFileSync(join(parts, 'a.yaml'), 'kafka: {brokers: ["lost:1"], clientId: site}\n');
    writeFileSync(join(parts, 'notes.txt'), 'not: {a: config}\n');
    const { kafka, http } = loadConfig(file, { BROKER: 'three' });
    expect(kafka).toMatchObject({ brokers: ['three:9093'], lingerMs: 5, clientId: 'site' });
    expect(http.port).toBe(8080);

    writeFileSync(join(parts, 'c.yaml'), 'kafka: {lingerMS: 5}\n');
    expect(() => loadConfig(file, { BROKER: 'three' })).toThrow(
      /c\.yaml is not a valid.*\n.*kafka\.lingerMS/,
    );
  });
});
