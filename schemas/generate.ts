// Writes src/records/events.ts, the TypeScript of the schemas beside this file. Run: node schemas/generate.ts
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Field {
  name: string;
  type: Schema;
  doc?: string;
}
interface Named {
  type: string;
  name: string;
  doc?: string;
  fields?: Field[];
  symbols?: string[];
  items?: Schema;
  values?: Schema;
}
type Schema = string | Named | Schema[];

const RECORDS = ['AuFrame', 'AuActivation', 'CameraStatus', 'FaceCropBatch', 'DeadLetter'];
const PRIMITIVES: Record<string, string> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  string: 'string',
  bytes: 'Buffer',
};

/** The whole text of `src/records/events.ts`. */
export function generate(): string {
  const declarations = new Map<string, string>();
  for (const record of RECORDS)
    typeOf(JSON.parse(readFileSync(new URL(`${record}.avsc`, import.meta.url), 'utf8')), declarations);
  const text = [
    '// Made by schemas/generate.ts from the schemas in schemas/. Do not edit.',
    ...declarations.values(),
    `/** What each record name stands for. */\nexport interface Records {\n${RECORDS.map((name) => `  readonly ${name}: ${name};`).join('\n')}\n}`,
    '',
  ].join('\n\n');
  return execFileSync('node_modules/.bin/biome', ['format', '--stdin-file-path=src/records/events.ts'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    input: text,
    encoding: 'utf8',
  });
}

/** The TypeScript of a schema; named types are declared on the way, each once. */
function typeOf(schema: Schema, declarations: Map<string, string>): string {
  if (Array.isArray(schema)) return schema.map((branch) => typeOf(branch, declarations)).join(' | ');
  if (typeof schema === 'string') return PRIMITIVES[schema] ?? schema;
  switch (schema.type) {
    case 'record': {
      const lines = schema.fields!.map(
        (field) =>
          `${comment(field.doc, '  ')}  readonly ${field.name}: ${typeOf(field.type, declarations)};`,
      );
      const text = `${comment(schema.doc)}export interface ${schema.name} {\n${lines.join('\n')}\n}`;
      declare(schema.name, text, declarations);
      return schema.name;
    }
    case 'enum': {
      const symbols = schema.symbols!.map((symbol) => `'${symbol}'`).join(' | ');
      declare(schema.name, `${comment(schema.doc)}export type ${schema.name} = ${symbols};`, declarations);
      return schema.name;
    }
    case 'array':
      return `readonly ${typeOf(schema.items!, declarations)}[]`;
    case 'map':
      return `Readonly<Record<string, ${typeOf(schema.values!, declarations)}>>`;
    default:
      return typeOf(schema.type, declarations);
  }
}

function declare(name: string, text: string, declarations: Map<string, string>): void {
  const known = declarations.get(name);
  if (known !== undefined && known !== text) throw new Error(`${name} is not the same in all schemas`);
  declarations.set(name, text);
}

function comment(doc: string | undefined, indent = ''): string {
  if (!doc) return '';
  const lines: string[] = [''];
  for (const word of doc.split(' ')) {
    if (lines.at(-1)!.length + word.length > 96) lines.push('');
    lines.push(`${lines.pop()!} ${word}`.trimStart());
  }
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(new URL('../src/records/events.ts', import.meta.url), generate());
