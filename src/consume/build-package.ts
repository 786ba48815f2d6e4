// Builds dist/package, the npm package for downstream programs (`npm pack`, `npm publish`): the consumer as JavaScript
// with type declarations, and the schemas. JavaScript, because Node does not strip types under node_modules. The package
// depends on two libraries only. Run: npm run build:consumer
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TARGET = `${ROOT}dist/package/`;
const DEPENDENCIES = ['avsc', 'kafkajs'] as const;

const project = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
rmSync(TARGET, { recursive: true, force: true });
mkdirSync(TARGET, { recursive: true });
execFileSync(`${ROOT}node_modules/.bin/tsc`, ['-p', `${ROOT}src/consume/tsconfig.json`], {
  stdio: 'inherit',
});
cpSync(`${ROOT}schemas`, `${TARGET}schemas`, { recursive: true, filter: (file) => !file.endsWith('.ts') });
for (const file of ['LICENSE', 'NOTICE']) cpSync(`${ROOT}${file}`, `${TARGET}${file}`);
cpSync(`${ROOT}examples/README.md`, `${TARGET}README.md`);
const { name, version, description, license, type, engines, dependencies } = project;
writeFileSync(
  `${TARGET}package.json`,
  `${JSON.stringify(
    {
      ...{ name, version, description, license, type, engines },
      exports: {
        './consumer': { types: './dist/consume/index.d.ts', default: './dist/consume/index.js' },
        './schemas/*': './schemas/*',
      },
      dependencies: Object.fromEntries(DEPENDENCIES.map((library) => [library, dependencies[library]])),
    },
    null,
    2,
  )}\n`,
);
