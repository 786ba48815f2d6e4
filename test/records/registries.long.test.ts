import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registryOptions } from '../../src/kafka/options.ts';
import { RecordEncoder, releasedSchemas, schemaText } from '../../src/records/avro.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import { SchemaIds } from '../../src/records/schema-ids.ts';
import { SchemaRegistry } from '../../src/records/schema-registry.ts';
import { findJava } from '../broker/java.ts';
import { TestRegistry } from '../broker/test-registry.ts';
import { delivered, frameNumber } from './samples.ts';

const RECORDS = ['AuFrame', 'AuActivation', 'CameraStatus'] as const;
const PATIENT = { timeout: 60_000 };
const REGISTRIES = [
  { major: 2, java: findJava(17) },
  { major: 3, java: findJava(21) },
] as const;

for (const { major, java } of REGISTRIES)
  describe.skipIf(java === null)(`Apicurio ${major}`, () => {
    let registry: TestRegistry;
    let folder: string;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'austream-registries-'));
      registry = await TestRegistry.start({ major, java: java! });
    }, 600_000);
    afterAll(async () => {
      await registry?.stop();
      rmSync(folder, { recursive: true });
    });

    const open = (topicPrefix: string, rest: object = {}, spool: string | null = null) =>
      SchemaIds.open({
        ...{ topicPrefix, records: RECORDS, folder: spool, connectSeconds: 5, checkMs: 500 },
        registry: registryOptions.parse({ url: registry.url, timeoutSeconds: 5, ...rest }),
      });
    const client = () => new SchemaRegistry({ url: registry.url, timeoutSeconds: 5 }, { unknownSeconds: 0 });
    const encoder = new RecordEncoder('AuFrame');
    const message = encoder.encode(frameNumber(3));

    test('registers schemas once; a consumer reads the messages', async () => {
      (await open('au.')).close();
      const ids = await open('au.', { register: false });
      const sent = ids.toConfluent(message)!;
      ids.close();
      expect(await new RecordDecoder(client()).decode(sent)).toEqual({
        record: 'AuFrame',
        value: delivered(frameNumber(3)),
      });
      expect(await client().versions('au.frames-value')).toEqual([1]);
      expect(await client().compatibility('au.frames-value')).toBe('FULL_TRANSITIVE');
    });

    test('keeps the level of an admin, before and after the first schema', async () => {
      await client().setCompatibility('admin.frames-value', 'BACKWARD');
      (await open('admin.')).close();
      expect(await client().compatibility('admin.frames-value')).toBe('BACKWARD');
      await client().setCompatibility('admin.cameras-value', 'NONE');
      (await open('admin.')).close();
      expect(await client().compatibility('admin.cameras-value')).toBe('NONE');
    });

    test('accepts this version after the first release, with the level unchanged', async () => {
      await client().register('old.frames-value', releasedSchemas('AuFrame')[0]!);
      await client().setCompatibility('old.frames-value', 'BACKWARD_TRANSITIVE');
      (await open('old.')).close();
      expect(await client().versions('old.frames-value')).toEqual([1, 2]);
      expect(await client().compatibility('old.frames-value')).toBe('BACKWARD_TRANSITIVE');
    });

    test('does not know an id: null, not an outage', async () => {
      expect(await client().schema(99_999)).toBeNull();
    });

    test('is away at the start with a spool, then restarts empty: the ids follow', async () => {
      await registry.kill();
      const ids = await open('late.', {}, folder);
      expect(ids.hold(encoder.fingerprint)).toMatchObject({ cause: 'registry_unreachable' });
      await registry.restart();
      await expect.poll(() => ids.toConfluent(message), PATIENT).not.toBeNull();
      await client().register('other-value', schemaText('DeadLetter'));
      await registry.restart();
      const readable = async () => {
        const [schema] = [await client().schema(ids.toConfluent(message)!.readUInt32BE(1))];
        return schema !== null && JSON.parse(schema).name;
      };
      await expect.poll(() => readable().catch(() => null), PATIENT).toBe('AuFrame');
      ids.close();
    }, 180_000);
  });
