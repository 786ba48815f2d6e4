import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import avro from 'avsc';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { registryOptions } from '../../src/kafka/options.ts';
import { type RecordName, recordType, releasedSchemas, schemaText } from '../../src/records/avro.ts';
import { avroFingerprint } from '../../src/records/fingerprint.ts';
import { openEncoders } from '../../src/records/registered-encoders.ts';
import { registerSchemas, SchemaIds } from '../../src/records/schema-ids.ts';
import { confluentHeader } from '../../src/records/schema-registry.ts';
import { frameNumber } from './samples.ts';
import { absent, ScriptedRegistry } from './scripted-registry.ts';

const fingerprintOf = (type: avro.Type) => avroFingerprint(type).readBigUInt64LE();
const FRAME = fingerprintOf(recordType('AuFrame'));
const STATUS = fingerprintOf(recordType('CameraStatus'));
const SUBJECT = 'au.frames-value';
const PATIENT = { timeout: 20_000 };
const OUTAGES = [
  { status: 404, body: '<h1>Not Found</h1>' },
  { status: 404, body: { message: 'HTTP 404 Not Found', error_code: 404 } },
  { status: 404, body: { error_code: 0, message: 'RESTEASY003210: Could not find resource' } },
  { status: 408 },
  { status: 425 },
  { status: 429, headers: { 'retry-after': '0' } },
  { status: 500, body: { error_code: 50003, message: 'Error while forwarding the request to the master.' } },
  { status: 502, body: '<h1>Bad Gateway</h1>' },
  { status: 503 },
  { status: 307, headers: { location: 'http://login.example.com/' } },
  { status: 200, body: '<h1>Back soon</h1>' },
];

let folder: string;
let registry: ScriptedRegistry;
const opened: SchemaIds[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'austream-ids-'));
  registry = await ScriptedRegistry.start();
});
afterEach(async () => {
  for (const ids of opened.splice(0)) ids.close();
  await registry.stop();
  rmSync(folder, { recursive: true });
});

interface Overrides {
  readonly url?: string;
  readonly folder?: string | null;
  readonly records?: readonly RecordName[];
  readonly registry?: object;
  readonly connectSeconds?: number;
  readonly changed?: () => void;
}

async function open(overrides: Overrides = {}): Promise<SchemaIds> {
  const { url = registry.url, records = ['AuFrame'], connectSeconds = 1 } = overrides;
  const ids = await SchemaIds.open({
    topicPrefix: 'au.',
    folder: overrides.folder === undefined ? folder : overrides.folder,
    records,
    connectSeconds,
    registry: registryOptions.parse({ url, timeoutSeconds: 2, ...overrides.registry }),
    ...(overrides.changed ? { changed: overrides.changed } : {}),
  });
  opened.push(ids);
  return ids;
}

describe('a start with a spool', () => {
  test('does not wait for a registry that is away; the header is known once it answers', async () => {
    const { url } = registry;
    await registry.stop();
    let changes = 0;
    const ids = await open({ url, changed: () => (changes += 1) });
    expect(ids.header(FRAME)).toBeNull();
    expect(ids.hold(FRAME)).toMatchObject({ cause: 'registry_unreachable' });
    registry = await ScriptedRegistry.start(Number(new URL(url).port));
    await expect.poll(() => ids.header(FRAME), PATIENT).toEqual(confluentHeader(1));
    expect(ids.hold(FRAME)).toBeNull();
    expect(changes).toBeGreaterThan(0);
  });

  test.each(OUTAGES)('survives $status $body', async (answer) => {
    registry.script = () => answer;
    const ids = await open();
    expect(ids.hold(FRAME)).toMatchObject({ cause: 'registry_unreachable' });
    registry.script = () => undefined;
    await expect.poll(() => ids.header(FRAME), PATIENT).toEqual(confluentHeader(1));
  });

  test('remembers ids: the next start needs no registry', async () => {
    registry.nextId = 42;
    await open();
    const { url } = registry;
    await registry.stop();
    const ids = await open({ url });
    expect(ids.header(FRAME)).toEqual(confluentHeader(42));
    registry = await ScriptedRegistry.start();
    expect((await open()).header(FRAME), 'the id of another registry').not.toEqual(confluentHeader(42));
  });

  test.each([
    ['no rights', { status: 403, body: { error_code: 40301, message: 'Forbidden' } }],
    ['a wrong password', { status: 401, body: { error_code: 401, message: 'Unauthorized' } }],
    ['an overload', { status: 429 }],
  ])('starts with remembered ids despite %s', async (_, answer) => {
    await open();
    registry.script = () => answer;
    const ids = await open();
    expect(ids.header(FRAME)).toEqual(confluentHeader(1));
    await expect.poll(() => registry.requests.length).toBeGreaterThan(2);
    expect(ids.hold(FRAME)).toBeNull();
  });

  test('fails if the registry refuses an id that is not remembered, and names the right', async () => {
    registry.script = () => ({ status: 403, body: { message: 'Forbidden' } });
    await expect(open()).rejects.toMatchObject({
      code: 'REGISTRY_REJECTED',
      message: expect.stringContaining(`POST /subjects/${SUBJECT}`),
      fix: expect.stringContaining('read and write the subjects'),
    });
  });

  test('a right that is taken away and given back holds a new schema only meanwhile', async () => {
    const { url } = registry;
    await registry.stop();
    const ids = await open({ url, records: ['AuFrame', 'CameraStatus'] });
    registry = await ScriptedRegistry.start(Number(new URL(url).port));
    registry.script = (request) =>
      request.includes('cameras') ? { status: 403, body: { message: 'no' } } : undefined;
    await expect.poll(() => ids.hold(STATUS), PATIENT).toMatchObject({ cause: 'registry_rejected' });
    await expect.poll(() => ids.header(FRAME), PATIENT).toEqual(confluentHeader(1));
    registry.script = () => undefined;
    await expect.poll(() => ids.header(STATUS), PATIENT).toEqual(confluentHeader(2));
  });

  test('a registry that lost its contents gets the schema again; a remembered id is replaced', async () => {
    await open();
    registry.wipe();
    registry.nextId = 9;
    expect((await open()).header(FRAME)).toEqual(confluentHeader(9));
    expect(registry.subjects.get(SUBJECT)).toEqual([schemaText('AuFrame')]);
  });

  test.each(['', '{', '[]', 'null', '{"url":"x","schemas":[null,{"id":-1}]}'])(
    'a damaged file of ids is ignored: %s',
    async (text) => {
      writeFileSync(join(folder, 'schema-ids.json'), text);
      await expect.poll(async () => (await open()).header(FRAME)).toEqual(confluentHeader(1));
    },
  );

  test('another topic prefix is another subject: its id is not taken over', async () => {
    await open();
    const { url } = registry;
    await registry.stop();
    const ids = await SchemaIds.open({
      registry: registryOptions.parse({ url }),
      topicPrefix: 'other.',
      records: ['AuFrame'],
      folder,
      connectSeconds: 1,
    });
    opened.push(ids);
    expect(ids.header(FRAME)).toBeNull();
    registry = await ScriptedRegistry.start();
  });
});

describe('records of other versions in the spool', () => {
  test('a released schema is registered when one of its records is sent', async () => {
    const [oldest] = releasedSchemas('AuFrame');
    const fingerprint = fingerprintOf(avro.Type.forSchema(JSON.parse(oldest!)));
    const ids = await open();
    await expect.poll(() => ids.header(FRAME)).not.toBeNull();
    expect(registry.subjects.get(SUBJECT)).toEqual([schemaText('AuFrame')]);
    expect(ids.header(fingerprint)).toBeNull();
    await expect.poll(() => ids.header(fingerprint), PATIENT).toEqual(confluentHeader(2));
  });

  test('a record that the start does not need, such as a dead letter, is registered when one is sent', async () => {
    const ids = await open();
    expect([...registry.subjects.keys()]).toEqual([SUBJECT]);
    const fingerprint = fingerprintOf(recordType('DeadLetter'));
    expect(ids.header(fingerprint)).toBeNull();
    expect(ids.hold(fingerprint)).toMatchObject({ cause: 'registry_unreachable' });
    await expect.poll(() => ids.header(fingerprint), PATIENT).toEqual(confluentHeader(2));
    expect([...registry.subjects.keys()]).toEqual([SUBJECT, 'au.deadletter-value']);
  });

  test('a schema of a later version is known from the folder, which that version wrote', async () => {
    const later = JSON.parse(schemaText('AuFrame'));
    later.fields.push({ name: 'site', type: 'string', default: '' });
    const fingerprint = fingerprintOf(avro.Type.forSchema(later));
    const ids = await open();
    expect(ids.header(fingerprint)).toBeNull();
    expect(ids.hold(fingerprint)).toMatchObject({ cause: 'schema_unknown' });
    const file = join(folder, 'schema-ids.json');
    const content = JSON.parse(readFileSync(file, 'utf8'));
    const hex = fingerprint.toString(16).padStart(16, '0');
    content.schemas.push({ fingerprint: hex, subject: SUBJECT, schema: JSON.stringify(later), id: null });
    ids.close();
    writeFileSync(file, JSON.stringify(content));
    const next = await open();
    expect(next.header(fingerprint)).toBeNull();
    await expect.poll(() => next.header(fingerprint), PATIENT).toEqual(confluentHeader(2));
  });
});

describe('a start without a spool', () => {
  const register = (options: object = {}, connectSeconds = 20) =>
    registerSchemas(
      {
        registry: registryOptions.parse({ url: registry.url, ...options }),
        topicPrefix: 'au.',
        connectSeconds,
      },
      ['AuFrame'],
    );

  test('waits for the registry within connectSeconds', async () => {
    const answers = OUTAGES.slice(0, 3);
    registry.script = () => answers.shift();
    expect((await register()).get('AuFrame')).toEqual(confluentHeader(1));
  });

  test('a Karapace that still reads its topic knows no subject, and forwards no write: the old subject is left as it is', async () => {
    registry.add(SUBJECT, '"string"');
    registry.add(SUBJECT, schemaText('AuFrame'));
    registry.levels.set(SUBJECT, 'NONE');
    const noLeader = { error_code: 50003, message: 'Error while forwarding the request to the master.' };
    let starting = 9;
    registry.script = (request) => {
      if (starting-- <= 0) return undefined;
      if (request.endsWith('/versions')) return { status: 500, body: noLeader };
      return absent(40401, `Subject '${SUBJECT}' not found.`);
    };
    expect((await register()).get('AuFrame')).toEqual(confluentHeader(2));
    expect(registry.levels.get(SUBJECT)).toBe('NONE');
    expect(registry.subjects.get(SUBJECT)).toHaveLength(2);
  });

  test('fails after connectSeconds, or at once if it is rejected', async () => {
    registry.script = () => ({ status: 503 });
    await expect(register({}, 0.1)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    registry.script = () => ({ status: 401 });
    await expect(register()).rejects.toMatchObject({ code: 'REGISTRY_REJECTED' });
  });

  test('looks up first: a read-only registry, or one that forbids everything else, is enough', async () => {
    registry.subjects.set(SUBJECT, []);
    await register();
    const before = registry.writes.length;
    registry.script = (request) =>
      request === `POST /subjects/${SUBJECT}`
        ? undefined
        : {
            status: 422,
            body: { error_code: 42205, message: 'Subject au.frames-value is in read-only mode' },
          };
    expect((await register()).get('AuFrame')).toEqual(confluentHeader(1));
    expect(registry.writes.length).toBe(before);
  });

  test('a read-only registry without the schema is named', async () => {
    registry.script = (request) =>
      request.endsWith('/versions')
        ? { status: 422, body: { error_code: 42205, message: 'Subject is in read-only mode' } }
        : undefined;
    await expect(register()).rejects.toMatchObject({
      code: 'REGISTRY_REJECTED',
      message: expect.stringContaining('is read-only'),
    });
  });

  test('register: false writes nothing and names the subject', async () => {
    await expect(register({ register: false })).rejects.toMatchObject({
      code: 'REGISTRY_REJECTED',
      message: expect.stringContaining(SUBJECT),
    });
    expect(registry.writes).toEqual([]);
  });
});

test('encoders follow a registry that lost its contents: the schema is registered again', async () => {
  const { encoders, close } = await openEncoders(
    { registry: registryOptions.parse({ url: registry.url }), topicPrefix: 'au.', connectSeconds: 1 },
    ['AuFrame'],
    { checkMs: 50 },
  );
  const header = () => encoders.AuFrame.encode(frameNumber(1)).subarray(0, 5);
  expect(header()).toEqual(confluentHeader(1));
  registry.wipe();
  registry.nextId = 9;
  await expect.poll(header, PATIENT).toEqual(confluentHeader(9));
  expect(registry.subjects.get(SUBJECT)).toEqual([schemaText('AuFrame')]);
  close();
});

describe('the compatibility level', () => {
  const register = (options: object = {}) =>
    registerSchemas(
      {
        registry: registryOptions.parse({ url: registry.url, ...options }),
        topicPrefix: 'au.',
        connectSeconds: 1,
      },
      ['AuFrame'],
    );
  const level = () => registry.levels.get(SUBJECT);

  test('is set on a new subject only', async () => {
    await register();
    expect(level()).toBe('FULL_TRANSITIVE');
    registry.levels.set(SUBJECT, 'NONE');
    await register();
    expect(level()).toBe('NONE');
  });

  test('can be another one, or none', async () => {
    await register({ compatibility: 'BACKWARD' });
    expect(level()).toBe('BACKWARD');
    registry.wipe();
    await register({ compatibility: null });
    expect(level()).toBeUndefined();
  });

  test('of an admin is kept: on an old subject with a new version, and on a subject without schemas', async () => {
    registry.subjects.set(SUBJECT, ['"string"']);
    await register();
    expect(level()).toBeUndefined();
    registry.wipe();
    registry.levels.set(SUBJECT, 'NONE');
    await register();
    expect(level()).toBe('NONE');
  });

  test('of an old subject that a lagging replica does not know is kept', async () => {
    registry.subjects.set(SUBJECT, ['"string"']);
    registry.levels.set(SUBJECT, 'NONE');
    let lagging = 2;
    registry.script = (request) =>
      !request.endsWith('versions') && lagging-- > 0 ? absent(40401, 'Subject not found') : undefined;
    await register();
    expect(level()).toBe('NONE');
  });

  test.each(['GET', 'PUT'])('that cannot be set is no failure (%s is forbidden)', async (method) => {
    registry.script = (request) =>
      request.startsWith(`${method} /config`) ? { status: 403, body: { message: 'Forbidden' } } : undefined;
    expect((await register()).get('AuFrame')).toEqual(confluentHeader(1));
    expect(level()).toBeUndefined();
  });
});
