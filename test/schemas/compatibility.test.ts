import { readdirSync, readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AvroSchema, RULES, type Rule, violations } from '../../schemas/compatibility.ts';
import { RECORD_NAMES, RecordEncoder, type RecordName, schemaText } from '../../src/records/avro.ts';

const released = (record: RecordName) => {
  const folder = new URL(`../../schemas/released/${record}/`, import.meta.url);
  return readdirSync(folder)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((file) => ({
      version: file.replace('.avsc', ''),
      text: readFileSync(new URL(file, folder), 'utf8'),
    }));
};
const explain = (older: string, newer: string) =>
  violations(JSON.parse(older), JSON.parse(newer)).map(
    ({ rule, path, detail }) => `${path}: ${rule}: ${RULES[rule]} (${detail})`,
  );

describe('each schema', () => {
  for (const record of RECORD_NAMES) {
    const versions = released(record);

    test(`${record} is compatible with all of its released versions in both directions (FULL_TRANSITIVE)`, () => {
      expect(versions.length).toBeGreaterThan(0);
      const all = [...versions, { version: 'now', text: schemaText(record) }];
      for (const [index, newer] of all.entries())
        for (const older of all.slice(0, index)) {
          const broken = explain(older.text, newer.text);
          expect(broken, `${record} ${older.version} → ${newer.version}:\n${broken.join('\n')}`).toEqual([]);
        }
    });

    test(`every version of ${record} reads every other`, () => {
      const types = [...versions.map(({ text }) => text), schemaText(record)].map((text) =>
        avro.Type.forSchema(JSON.parse(text)),
      );
      for (const writer of types)
        for (const reader of types) {
          const resolver = reader.createResolver(writer);
          for (let sample = 0; sample < 20; sample += 1) {
            const value = writer.random();
            expect(reader.isValid(reader.fromBuffer(writer.toBuffer(value), resolver))).toBe(true);
          }
        }
    });
  }
});

const record = (...fields: object[]) => ({ type: 'record', name: 'R', fields }) as AvroSchema;
const field = (type: unknown, rest: object = {}, name = 'f') => ({ name, type, ...rest });
const enumeration = (symbols: string[], rest: object = {}) => ({ type: 'enum', name: 'E', symbols, ...rest });

const violatingChanges: Record<Rule, [AvroSchema, AvroSchema]> = {
  RECORD_RENAMED: [record(), { type: 'record', name: 'S', fields: [] }],
  TYPE_CHANGED: [record(field('int')), record(field('string'))],
  FIELD_ADDED_WITHOUT_DEFAULT: [record(), record(field('int'))],
  FIELD_REMOVED_WITHOUT_DEFAULT: [record(field('int')), record()],
  DEFAULT_REMOVED: [record(field('int', { default: 1 })), record(field('int'))],
  ENUM_SYMBOL_ADDED_WITHOUT_DEFAULT: [
    record(field(enumeration(['A']))),
    record(field(enumeration(['A', 'B']))),
  ],
  ENUM_SYMBOL_REMOVED_WITHOUT_DEFAULT: [
    record(field(enumeration(['A', 'B']))),
    record(field(enumeration(['A']))),
  ],
  UNION_BRANCH_ADDED: [record(field(['null', 'int'])), record(field(['null', 'int', 'string']))],
  UNION_BRANCH_REMOVED: [record(field(['null', 'int'])), record(field(['null']))],
  FIXED_SIZE_CHANGED: [
    record(field({ type: 'fixed', name: 'F', size: 4 })),
    record(field({ type: 'fixed', name: 'F', size: 5 })),
  ],
  LOGICAL_TYPE_CHANGED: [
    record(field({ type: 'long', logicalType: 'timestamp-micros' })),
    record(field({ type: 'long', logicalType: 'timestamp-millis' })),
  ],
};

test('examples/sql/spark.sql compares messages with the header of this schema', () => {
  const header = new RecordEncoder('AuFrame').header.toString('hex').toUpperCase();
  expect(readFileSync('examples/sql/spark.sql', 'utf8')).toContain(`= X'${header}'`);
});

describe('the compatibility check reports the violated rule', () => {
  for (const [rule, [older, newer]] of Object.entries(violatingChanges) as [Rule, [AvroSchema, AvroSchema]][])
    test(rule, () => {
      expect(violations(older, newer).map((violation) => violation.rule)).toEqual([rule]);
      expect(violations(newer, newer)).toEqual([]);
    });

  test('and the path of a nested field', () => {
    const schema = JSON.parse(schemaText('AuFrame'));
    const changed = JSON.parse(schemaText('AuFrame'));
    const box = changed.fields.find(({ name }: { name: string }) => name === 'box');
    box.type.fields[0].type = 'string';
    expect(violations(schema, changed)).toEqual([
      { rule: 'TYPE_CHANGED', path: 'AuFrame.box.x', detail: 'float became string' },
    ]);
  });

  test('and accepts a new AU, a new enum symbol, a new field with a default', () => {
    const older = JSON.parse(schemaText('AuFrame'));
    const newer = JSON.parse(schemaText('AuFrame'));
    const fieldNamed = (schema: { fields: { name: string }[] }, name: string) =>
      schema.fields.find((found) => found.name === name) as never as { type: never };
    const aus = fieldNamed(newer, 'aus').type as { fields: object[] };
    aus.fields.push({ name: 'au45', type: ['null', 'AuState'], default: null });
    (fieldNamed(newer, 'clockSource').type as { symbols: string[] }).symbols.push('ptp');
    newer.fields.push({ name: 'site', type: 'string', default: '' });
    expect(violations(older, newer)).toEqual([]);
    const [a, b] = [avro.Type.forSchema(older), avro.Type.forSchema(newer)];
    const written = b.random() as never as { clockSource: string };
    written.clockSource = 'ptp';
    expect(a.fromBuffer(b.toBuffer(written), a.createResolver(b))).toMatchObject({ clockSource: 'unknown' });
    expect(b.fromBuffer(a.toBuffer(a.random()), b.createResolver(a))).toMatchObject({ site: '' });
  });
});

test('avsc resolves in both directions whatever the check accepts', () => {
  const base = [
    field('int', {}, 'a'),
    field(['null', 'string'], { default: null }, 'b'),
    field('int', { default: 3 }, 'c'),
  ];
  const change = fc.constantFrom<(fields: object[]) => object[]>(
    (fields) => fields.slice(1),
    (fields) => fields.slice(0, -1),
    (fields) => [...fields, field('int', {}, 'd')],
    (fields) => [...fields, field('int', { default: 1 }, 'e')],
    (fields) => fields.map((each, index) => (index === 1 ? field('long', {}, 'b') : each)),
    (fields) => [...fields, field(enumeration(['A', 'B'], { default: 'A' }), { default: 'A' }, 'g')],
    (fields) => fields.toReversed(),
  );
  let passed = 0;
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4 }), (changes) => {
      const fields = changes.reduce<object[]>((done, apply) => apply(done), base);
      fc.pre(new Set(fields.map((each) => (each as { name: string }).name)).size === fields.length);
      const [older, newer] = [record(...base), record(...fields)];
      if (violations(older, newer).length > 0) return;
      passed += 1;
      const [a, b] = [avro.Type.forSchema(older as never), avro.Type.forSchema(newer as never)];
      b.fromBuffer(a.toBuffer(a.random()), b.createResolver(a));
      a.fromBuffer(b.toBuffer(b.random()), a.createResolver(b));
    }),
    { numRuns: 300 },
  );
  expect(passed).toBeGreaterThan(20);
});
