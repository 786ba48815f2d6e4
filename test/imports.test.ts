import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

// The folders table of ARCHITECTURE.md is the rule: a folder imports only from rows above its own, and only the
// libraries that its row names. Later rows may therefore never be needed by earlier ones, and no circle can arise.

interface Row {
  readonly place: string;
  readonly rank: number;
  readonly libraries: readonly string[];
}

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Pairs that talk through messages or topics alone. The processes on both sides never share code but the protocol's. */
const SEPARATE = [
  ['src/ingest/host', 'src/ingest/child'],
  ['src/cluster/ingest', 'src/cluster/infer'],
] as const;

/** Folders of tests that mirror no folder of src. */
const CROSS_CUTTING = [
  'torture',
  'peers',
  'broker',
  'deploy',
  'docs',
  'e2e',
  'fuzz',
  'fixtures',
  'fuzz',
  'native-tensorflow',
  'schemas',
  'security',
];

const FROM = /(?:\bfrom|^import|\bimport\()\s*'([^']+)'/gm;
const REQUIRE = /(?:\brequire|createRequire\(import\.meta\.url\)(?:\.resolve)?)\(['`]([^'`$]+)['`]\)/g;

function rowsOf(architecture: string): Row[] {
  const rows = [...architecture.matchAll(/^\| `(src\/[^`]*)` \|.*\|([^|]*)\|$/gm)];
  return rows.map(([, place, libraries], rank) => ({
    place: place!.replace(/\/$/, ''),
    rank,
    libraries: [...libraries!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  }));
}

function filesBelow(folder: string): string[] {
  return sourceFiles(folder).filter((name) => name.endsWith('.ts'));
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[cm]?[jt]s$/.test(name))
    .map((name) => join(folder, name))
    .sort();
}

function specifiers(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(FROM), ...text.matchAll(REQUIRE)].map(([, specifier]) => specifier!);
}

function importsOf(file: string): Import[] {
  return specifiers(file)
    .filter((specifier) => specifier.startsWith('.') && specifier.endsWith('.ts'))
    .map((specifier) => ({ from: file, to: normalize(join(dirname(file), specifier)) }));
}

function librariesOf(file: string): string[] {
  return specifiers(file)
    .filter((specifier) => /^(@[a-z]|[a-z])/.test(specifier) && !specifier.startsWith('node:'))
    .filter((specifier) => !specifier.endsWith('.css'))
    .map((specifier) => /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)![1]!);
}

/** The most specific row that a file belongs to. */
function rowOf(file: string, rows: readonly Row[]): Row | undefined {
  return rows
    .filter(({ place }) => file === place || file.startsWith(`${place}/`))
    .sort((a, b) => b.place.length - a.place.length)[0];
}

function upwardImports(imports: readonly Import[], rows: readonly Row[]): string[] {
  return imports
    .filter(({ from, to }) => rowOf(to, rows)!.rank > rowOf(from, rows)!.rank)
    .map(({ from, to }) => `${from} imports ${to}, a later row of the table`);
}

/** Files that reach themselves through their imports; empty where the graph is acyclic. */
function cycles(imports: readonly Import[]): string[] {
  const targets = Map.groupBy(imports, ({ from }) => from);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const { to } of targets.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return found;
}

const rows = rowsOf(readFileSync('ARCHITECTURE.md', 'utf8'));
const files = filesBelow('src');
const imports = files.flatMap(importsOf);

describe('imports', () => {
  test('every source file belongs to a row of the folders table, and every row has files', () => {
    expect(files.filter((file) => !rowOf(file, rows))).toEqual([]);
    const used = new Set(files.map((file) => rowOf(file, rows)!.place));
    expect(rows.filter(({ place }) => !used.has(place)).map(({ place }) => place)).toEqual([]);
  });

  test('every relative import leads to a file', () => {
    expect(imports.filter(({ to }) => !existsSync(to))).toEqual([]);
  });

  test('no folder imports from a later row of the table', () => {
    expect(upwardImports(imports, rows)).toEqual([]);
  });

  test('no circle of files', () => {
    expect(cycles(imports)).toEqual([]);
  });

  test.each(SEPARATE)('%s and %s share no code but the protocol', (a, b) => {
    const between = imports.filter(
      ({ from, to }) =>
        (from.startsWith(`${a}/`) && to.startsWith(`${b}/`)) ||
        (from.startsWith(`${b}/`) && to.startsWith(`${a}/`)),
    );
    expect(between).toEqual([]);
  });

  test('each folder uses exactly the libraries that its row names', () => {
    const used = Object.fromEntries(rows.map(({ place }) => [place, new Set<string>()]));
    for (const file of files) for (const name of librariesOf(file)) used[rowOf(file, rows)!.place]!.add(name);
    const sorted = (names: Iterable<string>) => [...names].sort();
    expect(Object.fromEntries(Object.entries(used).map(([place, names]) => [place, sorted(names)]))).toEqual(
      Object.fromEntries(rows.map(({ place, libraries }) => [place, sorted(libraries)])),
    );
  });

  test('tests mirror the folders of src', () => {
    const folders = filesBelow('test')
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => dirname(file).replace(/^test\/?/, ''))
      .filter((folder) => !CROSS_CUTTING.includes(folder.split('/')[0]!));
    expect([...new Set(folders)].filter((folder) => !existsSync(join('src', folder)))).toEqual([]);
  });
});

// It reports to its maker unless it is told not to before its first use; runtime.ts does that.
test('ONNX Runtime is loaded by src/infer/engine/onnx/runtime.ts alone', () => {
  const loads = /(?:^import (?!type )[^\n]*|\bimport\(|\brequire\(|\)\()['"`]onnxruntime-node['"`]/m;
  const loaders = ['src', 'test', 'bench', 'examples', 'training', 'schemas']
    .flatMap(sourceFiles)
    .filter((file) => file !== 'test/imports.test.ts' && loads.test(readFileSync(file, 'utf8')));
  expect(loaders).toEqual(['src/infer/engine/onnx/runtime.ts']);
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { dependencies?: Record<string, string> }>;
  };
  const dependents = Object.keys(packages).filter(
    (name) => packages[name]!.dependencies?.['onnxruntime-node'],
  );
  expect(dependents).toEqual(['']);
});

describe('the rules find what they are for', () => {
  const place = (name: string, rank: number): Row => ({ place: name, rank, libraries: [] });
  const order = [place('src/domain', 0), place('src/infer', 1), place('src/app', 2)];

  test('an upward import', () => {
    const upward = { from: 'src/domain/face.ts', to: 'src/infer/stage.ts' };
    const downward = { from: 'src/app/pipeline.ts', to: 'src/infer/stage.ts' };
    expect(upwardImports([upward, downward], order)).toEqual([
      'src/domain/face.ts imports src/infer/stage.ts, a later row of the table',
    ]);
  });

  test('a circle of three files', () => {
    const circle = ['a', 'b', 'c'].map((name, index) => ({ from: name, to: 'bca'[index]! }));
    expect(cycles([...circle, { from: 'd', to: 'a' }])).toEqual(['a → b → c → a']);
  });
});
