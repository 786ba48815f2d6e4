import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkRegistry } from '../../src/doctor/registry-check.ts';
import { type KafkaOptions, kafkaOptions } from '../../src/kafka/options.ts';
import { schemaText } from '../../src/records/avro.ts';
import { ScriptedRegistry } from '../records/scripted-registry.ts';

let registry: ScriptedRegistry;
beforeAll(async () => {
  registry = await ScriptedRegistry.start();
});
afterAll(() => registry.stop());

const check = (rest: object = {}) => {
  const kafka: KafkaOptions = kafkaOptions.parse({
    embedded: true,
    registry: { url: registry.url, ...rest },
  });
  return checkRegistry(kafka.registry!, kafka);
};

test('doctor tells what the registry lacks, and writes nothing', async () => {
  expect(await check()).toMatchObject({ state: 'ok', detail: expect.stringContaining('registers it') });
  expect(await check({ register: false })).toMatchObject({
    state: 'missing',
    detail: expect.stringContaining('au.frames-value, au.activations-value, au.cameras-value'),
  });
  for (const [subject, record] of [
    ['au.frames-value', 'AuFrame'],
    ['au.activations-value', 'AuActivation'],
    ['au.cameras-value', 'CameraStatus'],
  ] as const)
    registry.add(subject, schemaText(record));
  expect(await check({ register: false })).toMatchObject({ state: 'ok' });
  expect(registry.writes).toEqual([]);
});

test('doctor names the right that is missing', async () => {
  registry.script = () => ({ status: 403, body: { message: 'Forbidden' } });
  expect(await check()).toMatchObject({
    state: 'missing',
    detail: expect.stringContaining('forbids POST /subjects/au.frames-value'),
    fix: expect.stringContaining('let this user read'),
  });
});
