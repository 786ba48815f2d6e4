/** A rule of Avro's schema resolution that a change would break, where, and for whom. */
export interface Violation {
  readonly rule: Rule;
  /** Path of the place within the schema, e.g. `AuFrame.box.x`. */
  readonly path: string;
  readonly detail: string;
}

export const RULES = {
  RECORD_RENAMED: 'a named type keeps its name',
  TYPE_CHANGED: 'a type changes only where each version reads the other',
  FIELD_ADDED_WITHOUT_DEFAULT: 'a new field has a default, for records written before it',
  FIELD_REMOVED_WITHOUT_DEFAULT: 'a field that goes had a default, for readers that still expect it',
  DEFAULT_REMOVED: 'a default stays: older releases may lack the field',
  ENUM_SYMBOL_ADDED_WITHOUT_DEFAULT:
    'an enum that grows had a default, for readers that do not know the symbol',
  ENUM_SYMBOL_REMOVED_WITHOUT_DEFAULT: 'an enum that shrinks has a default, for records that hold the symbol',
  UNION_BRANCH_ADDED: 'a union does not grow: older readers cannot read the new branch',
  UNION_BRANCH_REMOVED: 'a union does not shrink: newer readers could not read the old branch',
  FIXED_SIZE_CHANGED: 'a fixed keeps its size',
  LOGICAL_TYPE_CHANGED: 'a logical type stays: the bytes would be read, with another meaning',
} as const;
export type Rule = keyof typeof RULES;

interface Definition {
  readonly type: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly logicalType?: string;
  readonly fields?: readonly { name: string; type: AvroSchema; default?: unknown }[];
  readonly symbols?: readonly string[];
  readonly default?: unknown;
  readonly items?: AvroSchema;
  readonly values?: AvroSchema;
  readonly size?: number;
}
export type AvroSchema = string | Definition | readonly AvroSchema[];

/** Every rule that stands between a released schema and a newer one being compatible in both directions (FULL). */
export function violations(released: AvroSchema, newer: AvroSchema): Violation[] {
  return new Comparison(released, newer).run();
}

class Comparison {
  readonly #released: Names;
  readonly #newer: Names;
  readonly #roots: readonly [AvroSchema, AvroSchema];
  readonly #found: Violation[] = [];
  readonly #seen = new Set<string>();

  constructor(released: AvroSchema, newer: AvroSchema) {
    this.#roots = [released, newer];
    this.#released = new Names(released);
    this.#newer = new Names(newer);
  }

  run(): Violation[] {
    this.#compare(this.#roots[0], this.#roots[1], this.#released.label(this.#roots[0]));
    return this.#found;
  }

  #compare(oldSchema: AvroSchema, newSchema: AvroSchema, path: string): void {
    const older = this.#released.resolve(oldSchema);
    const newer = this.#newer.resolve(newSchema);
    if (Array.isArray(older) || Array.isArray(newer)) {
      this.#unions(asUnion(older), asUnion(newer), path);
      return;
    }
    const [a, b] = [asDefinition(older), asDefinition(newer)];
    if (a.type !== b.type) {
      this.#report('TYPE_CHANGED', path, `${a.type} became ${b.type}`);
      return;
    }
    if (a.logicalType !== b.logicalType)
      this.#report(
        'LOGICAL_TYPE_CHANGED',
        path,
        `${a.logicalType ?? 'none'} became ${b.logicalType ?? 'none'}`,
      );
    if (a.name !== b.name) {
      this.#report('RECORD_RENAMED', path, `${a.name} became ${b.name}`);
      return;
    }
    if (a.name !== undefined) {
      // Each pair of named types is compared once: a type may hold itself.
      if (this.#seen.has(a.name)) return;
      this.#seen.add(a.name);
    }
    if (a.type === 'record') this.#records(a, b, path);
    else if (a.type === 'enum') this.#enums(a, b, path);
    else if (a.type === 'array') this.#compare(a.items!, b.items!, `${path}[]`);
    else if (a.type === 'map') this.#compare(a.values!, b.values!, `${path}{}`);
    else if (a.type === 'fixed' && a.size !== b.size)
      this.#report('FIXED_SIZE_CHANGED', path, `${a.size} bytes became ${b.size}`);
  }

  #records(older: Definition, newer: Definition, path: string): void {
    const before = new Map(older.fields!.map((field) => [field.name, field]));
    const after = new Map(newer.fields!.map((field) => [field.name, field]));
    for (const [name, field] of after) {
      const was = before.get(name);
      const place = `${path}.${name}`;
      if (was) {
        this.#compare(was.type, field.type, place);
        if ('default' in was && !('default' in field)) this.#report('DEFAULT_REMOVED', place, 'it had one');
      } else if (!('default' in field)) this.#report('FIELD_ADDED_WITHOUT_DEFAULT', place, 'it has none');
    }
    for (const [name, field] of before)
      if (!after.has(name) && !('default' in field))
        this.#report('FIELD_REMOVED_WITHOUT_DEFAULT', `${path}.${name}`, 'it had none');
  }

  #enums(older: Definition, newer: Definition, path: string): void {
    const added = newer.symbols!.filter((symbol) => !older.symbols!.includes(symbol));
    const removed = older.symbols!.filter((symbol) => !newer.symbols!.includes(symbol));
    if (added.length > 0 && older.default === undefined)
      this.#report('ENUM_SYMBOL_ADDED_WITHOUT_DEFAULT', path, added.join(', '));
    if (removed.length > 0 && newer.default === undefined)
      this.#report('ENUM_SYMBOL_REMOVED_WITHOUT_DEFAULT', path, removed.join(', '));
    if (older.default !== undefined && newer.default === undefined)
      this.#report('DEFAULT_REMOVED', path, 'the enum had one');
  }

  #unions(older: readonly AvroSchema[], newer: readonly AvroSchema[], path: string): void {
    const before = new Map(older.map((branch) => [this.#released.label(branch), branch]));
    const after = new Map(newer.map((branch) => [this.#newer.label(branch), branch]));
    for (const [label, branch] of after) {
      const was = before.get(label);
      if (was === undefined) this.#report('UNION_BRANCH_ADDED', path, label);
      else this.#compare(was, branch, path);
    }
    for (const label of before.keys())
      if (!after.has(label)) this.#report('UNION_BRANCH_REMOVED', path, label);
  }

  #report(rule: Rule, path: string, detail: string): void {
    this.#found.push({ rule, path, detail });
  }
}

/** The named types of one schema. */
class Names {
  readonly #types = new Map<string, Definition>();

  constructor(schema: AvroSchema) {
    this.#collect(schema);
  }

  /** A reference's definition; anything else as it is. */
  resolve(schema: AvroSchema): AvroSchema {
    return (typeof schema === 'string' && this.#types.get(schema)) || schema;
  }

  /** What tells the branches of a union apart: a named type's name, otherwise the type. */
  label(schema: AvroSchema): string {
    const resolved = this.resolve(schema);
    if (Array.isArray(resolved)) return 'union';
    const definition = asDefinition(resolved);
    return definition.name ?? definition.type;
  }

  #collect(schema: AvroSchema): void {
    if (typeof schema === 'string') return;
    if (Array.isArray(schema)) {
      for (const branch of schema) this.#collect(branch);
      return;
    }
    const definition = asDefinition(schema);
    if (definition.name !== undefined) this.#types.set(definition.name, definition);
    for (const field of definition.fields ?? []) this.#collect(field.type);
    if (definition.items !== undefined) this.#collect(definition.items);
    if (definition.values !== undefined) this.#collect(definition.values);
  }
}

function asUnion(schema: AvroSchema): readonly AvroSchema[] {
  return Array.isArray(schema) ? schema : [schema as Definition];
}

function asDefinition(schema: AvroSchema): Definition {
  return typeof schema === 'string' ? { type: schema } : (schema as Definition);
}
