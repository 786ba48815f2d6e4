/** A change that breaks a rule of Avro's schema resolution. */
export interface Violation {
  readonly rule: Rule;
  /** Path in the schema, e.g. `AuFrame.box.x`. */
  readonly path: string;
  readonly detail: string;
}

export const RULES = {
  RECORD_RENAMED: 'a named type must keep its name',
  TYPE_CHANGED: 'a type must not change',
  FIELD_ADDED_WITHOUT_DEFAULT: 'a new field needs a default, for records that were written without it',
  FIELD_REMOVED_WITHOUT_DEFAULT: 'only a field with a default may be removed: older readers still expect it',
  DEFAULT_REMOVED: 'a default must not be removed: older records may lack the field',
  ENUM_SYMBOL_ADDED_WITHOUT_DEFAULT:
    'only an enum with a default may get a symbol: older readers do not know it',
  ENUM_SYMBOL_REMOVED_WITHOUT_DEFAULT:
    'only an enum with a default may lose a symbol: older records contain it',
  UNION_BRANCH_ADDED: 'a union must not get a branch: older readers cannot read it',
  UNION_BRANCH_REMOVED: 'a union must not lose a branch: newer readers cannot read records that contain it',
  FIXED_SIZE_CHANGED: 'a fixed must keep its size',
  LOGICAL_TYPE_CHANGED: 'a logical type must not change: the same bytes would get another meaning',
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

/** Every violation of compatibility in both directions (FULL) between a released schema and a newer one. */
export function violations(released: AvroSchema, newer: AvroSchema): Violation[] {
  return new Comparison(released, newer).run();
}

class Comparison {
  readonly #released: Names;
  readonly #newer: Names;
  readonly #roots: readonly [AvroSchema, AvroSchema];
  readonly #violations: Violation[] = [];
  readonly #compared = new Set<string>();

  constructor(released: AvroSchema, newer: AvroSchema) {
    this.#roots = [released, newer];
    this.#released = new Names(released);
    this.#newer = new Names(newer);
  }

  run(): Violation[] {
    this.#compare(this.#roots[0], this.#roots[1], this.#released.label(this.#roots[0]));
    return this.#violations;
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
      // Named types are compared once, because types may be recursive.
      if (this.#compared.has(a.name)) return;
      this.#compared.add(a.name);
    }
    if (a.type === 'record') this.#records(a, b, path);
    else if (a.type === 'enum') this.#enums(a, b, path);
    else if (a.type === 'array') this.#compare(a.items!, b.items!, `${path}[]`);
    else if (a.type === 'map') this.#compare(a.values!, b.values!, `${path}{}`);
    else if (a.type === 'fixed' && a.size !== b.size)
      this.#report('FIXED_SIZE_CHANGED', path, `${a.size} bytes became ${b.size}`);
  }

  #records(older: Definition, newer: Definition, path: string): void {
    const oldFields = new Map(older.fields!.map((field) => [field.name, field]));
    const newFields = new Map(newer.fields!.map((field) => [field.name, field]));
    for (const [name, field] of newFields) {
      const oldField = oldFields.get(name);
      const fieldPath = `${path}.${name}`;
      if (oldField) {
        this.#compare(oldField.type, field.type, fieldPath);
        if ('default' in oldField && !('default' in field))
          this.#report('DEFAULT_REMOVED', fieldPath, 'the old field has one');
      } else if (!('default' in field))
        this.#report('FIELD_ADDED_WITHOUT_DEFAULT', fieldPath, 'the new field has none');
    }
    for (const [name, field] of oldFields)
      if (!newFields.has(name) && !('default' in field))
        this.#report('FIELD_REMOVED_WITHOUT_DEFAULT', `${path}.${name}`, 'the old field has none');
  }

  #enums(older: Definition, newer: Definition, path: string): void {
    const added = newer.symbols!.filter((symbol) => !older.symbols!.includes(symbol));
    const removed = older.symbols!.filter((symbol) => !newer.symbols!.includes(symbol));
    if (added.length > 0 && older.default === undefined)
      this.#report('ENUM_SYMBOL_ADDED_WITHOUT_DEFAULT', path, added.join(', '));
    if (removed.length > 0 && newer.default === undefined)
      this.#report('ENUM_SYMBOL_REMOVED_WITHOUT_DEFAULT', path, removed.join(', '));
    if (older.default !== undefined && newer.default === undefined)
      this.#report('DEFAULT_REMOVED', path, 'the old enum has one');
  }

  #unions(older: readonly AvroSchema[], newer: readonly AvroSchema[], path: string): void {
    const oldBranches = new Map(older.map((branch) => [this.#released.label(branch), branch]));
    const newBranches = new Map(newer.map((branch) => [this.#newer.label(branch), branch]));
    for (const [label, branch] of newBranches) {
      const oldBranch = oldBranches.get(label);
      if (oldBranch === undefined) this.#report('UNION_BRANCH_ADDED', path, label);
      else this.#compare(oldBranch, branch, path);
    }
    for (const label of oldBranches.keys())
      if (!newBranches.has(label)) this.#report('UNION_BRANCH_REMOVED', path, label);
  }

  #report(rule: Rule, path: string, detail: string): void {
    this.#violations.push({ rule, path, detail });
  }
}

/** The named types of a schema. */
class Names {
  readonly #types = new Map<string, Definition>();

  constructor(schema: AvroSchema) {
    this.#collect(schema);
  }

  /** The definition that a type name refers to; any other schema unchanged. */
  resolve(schema: AvroSchema): AvroSchema {
    return (typeof schema === 'string' && this.#types.get(schema)) || schema;
  }

  /** Identifies a branch of a union: the name of a named type, otherwise the type. */
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
