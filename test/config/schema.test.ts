import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMap, isScalar, isSeq, type Node, parse, parseDocument } from 'yaml';
import { z } from 'zod';
import { ConfigError, configSchema, loadConfig } from '../../src/config/schema.ts';

const EXAMPLE = readFileSync(new URL('../../austream.example.yaml', import.meta.url), 'utf8');

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'austream-config-'));
  file = join(folder, 'austream.yaml');
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, env: NodeJS.ProcessEnv = {}) {
  writeFileSync(file, text);
  return loadConfig(file, env);
}

function issues(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly default?: unknown;
}

/** Every key of a schema by its full path, such as `cameras[].tls.ca`, with the values that it defaults to. */
function schemaKeys(
  schema: JsonSchema,
  path = '',
  keys = new Map<string, unknown[]>(),
): Map<string, unknown[]> {
  for (const option of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) schemaKeys(option, path, keys);
  if (schema.items) schemaKeys(schema.items, `${path}[]`, keys);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const key = path ? `${path}.${name}` : name;
    const defaults = keys.get(key) ?? [];
    if ('default' in property && !property.properties) defaults.push(property.default);
    keys.set(key, defaults);
    schemaKeys(property, key, keys);
  }
  return keys;
}

/** Every key of a YAML text by its full path, with its values; a key may occur twice. */
function yamlKeys(node: Node | null, path = '', keys = new Map<string, unknown[]>()): Map<string, unknown[]> {
  if (isSeq(node)) for (const item of node.items) yamlKeys(item as Node, `${path}[]`, keys);
  if (isMap(node))
    for (const pair of node.items) {
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      const key = path ? `${path}.${name}` : name;
      const value = pair.value as Node | null;
      keys.set(key, [...(keys.get(key) ?? []), ...(isScalar(value) ? [value.value] : [])]);
      yamlKeys(value, key, keys);
    }
  return keys;
}

describe('the commented example', () => {
  /** `# key: …`, at any indentation, is a key that the example shows in a comment. */
  const uncommented = EXAMPLE.replace(/^( *)# ( *[A-Za-z]+:(?: .*)?)$/gm, '$1$2');
  const shown = yamlKeys(parseDocument(uncommented, { uniqueKeys: false }).contents);
  const known = schemaKeys(z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema);
  /** The example shows one AU of this mapping in a comment. */
  const isThreshold = (path: string) => path.startsWith('infer.thresholds.');

  it('is valid as it is, and shows every default', () => {
    const config = load(EXAMPLE, { LOBBY_PASSWORD: 'secret' });
    const { id, url, username, password } = config.cameras[0]!;
    const smallest = configSchema.parse({
      cameras: [{ id, url, username, password }],
      kafka: { brokers: config.kafka.brokers },
    });
    expect(config).toEqual(smallest);
  });

  it('names every key by its full path, and no other', () => {
    const keys = [...known.keys()].filter((path) => !isThreshold(path));
    expect(keys.length).toBeGreaterThan(100);
    expect([...shown.keys()].sort()).toEqual(keys.sort());
  });

  it('shows the default of each key that has one, also in comments', () => {
    for (const [path, defaults] of known)
      for (const value of defaults)
        if (value === null || typeof value !== 'object') expect(shown.get(path), path).toContain(value);
  });

  it('shows thresholds that are valid', () => {
    const thresholds = /override.*(\{ au\d+: .*? \})/.exec(EXAMPLE)![1]!;
    expect(configSchema.shape.infer.parse({ thresholds: parse(thresholds) }).thresholds).toEqual({
      au12: 0.4,
    });
  });
});

describe('loadConfig', () => {
  it('accepts the smallest configs', () => {
    expect(issues('{cameras: [{id: lobby, url: "rtsp://a"}], kafka: {brokers: ["host:9092"]}}')).toEqual([]);
    expect(issues('{cameras: [{id: lobby, url: "rtsp://a"}], kafka: {embedded: true}}')).toEqual([]);
  });

  it('reports every issue at once, with its path', () => {
    expect(
      issues(`
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

  it('reports a registry URL that is not a URL', () => {
    expect(issues('kafka: {embedded: true, registry: {url: nope}}')).toEqual([
      expect.stringMatching(/^kafka\.registry\.url: /),
    ]);
  });

  it('rejects two cameras with the same id', () => {
    const two = '{cameras: [{id: a, url: "rtsp://a"}, {id: a, url: "rtsp://b"}], kafka: {embedded: true}}';
    expect(issues(two)).toEqual(['cameras[1].id: is also the id of cameras[0]; ids must differ']);
  });

  it('replaces ${NAME}, and names a variable that is not set', () => {
    const text = 'cameras: [{id: a, url: "rtsp://a", password: "${CAM_PASSWORD}"}]\nkafka: {embedded: true}';
    expect(load(text, { CAM_PASSWORD: 'x' }).cameras[0]!.password).toBe('x');
    expect(issues(text)).toEqual(['cameras[0].password: the environment variable CAM_PASSWORD is not set']);
  });

  it('gives the line of a YAML syntax error', () => {
    expect(issues('cameras: [\nkafka: {embedded: true}').join()).toMatch(/line 2/);
  });

  it('does not quote a password whose quotes, or the space before it, are missing', () => {
    const camera = (password: string) =>
      `cameras: [{id: a, url: "rtsp://a", ${password}}]\nkafka: {embedded: true}`;
    expect(issues(camera('password: *hunter2'))).toEqual([
      expect.stringMatching(/^: Alias .* at line 1, column 46$/),
    ]);
    expect(issues(camera('password:hunter2'))).toEqual([
      'cameras[0].password…: is not a known key; a space must follow a key’s colon',
    ]);
  });
});

describe('the overlay folder FILE.d', () => {
  const overlays = () => `${file}.d`;

  it('is reported when it is not a folder', () => {
    writeFileSync(file, 'kafka: {embedded: true}\n');
    writeFileSync(overlays(), '');
    expect(() => loadConfig(file)).toThrow(
      /austream\.yaml\.d is not a valid config:\n {2}cannot be read: ENOTDIR/,
    );
    rmSync(overlays());
  });

  it('overrides keys of the file, in the order of its files’ names', () => {
    mkdirSync(overlays());
    writeFileSync(file, 'kafka: {brokers: ["one:9092", "two:9092"], lingerMs: 5}\nhttp: {port: 8080}\n');
    writeFileSync(join(overlays(), 'b.yaml'), 'kafka: {brokers: ["${BROKER}:9093"]}\n');
    writeFileSync(join(overlays(), 'a.yaml'), 'kafka: {brokers: ["lost:1"], clientId: site}\n');
    writeFileSync(join(overlays(), 'notes.txt'), 'not: {a: config}\n');
    const { kafka, http } = loadConfig(file, { BROKER: 'three' });
    expect(kafka).toMatchObject({ brokers: ['three:9093'], lingerMs: 5, clientId: 'site' });
    expect(http.port).toBe(8080);

    writeFileSync(join(overlays(), 'c.yaml'), 'kafka: {lingerMS: 5}\n');
    expect(() => loadConfig(file, { BROKER: 'three' })).toThrow(
      /c\.yaml is not a valid.*\n.*kafka\.lingerMS/,
    );
  });
});
