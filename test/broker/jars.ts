import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const run = promisify(execFile);

const REGISTRY = 'io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all';
const REGISTRY_FILE = 'apicurio-registry-app-2.6.13.Final-all.tar.gz';
const REGISTRY_SHA256 = '3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba';

/** The folder with Apache Kafka's jars, from Maven Central (43 MB). Each is verified against jars.sha256. */
export function kafkaJars(): Promise<string> {
  const list = readFileSync(join(HERE, 'jars.sha256'), 'utf8');
  return cached('kafka', list, async (dir) => {
    await run('mvn', [
      '-q',
      '-B',
      '--strict-checksums',
      '-f',
      join(HERE, 'pom.xml'),
      `${PLUGIN}:copy-dependencies`,
      `-DoutputDirectory=${dir}`,
    ]);
    const hashes = list
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/) as [string, string]);
    for (const [sha256, name] of hashes) verify(join(dir, name), sha256);
    const unknown = readdirSync(dir).filter((file) => !hashes.some(([, name]) => name === file));
    if (unknown.length > 0) throw new Error(`Maven copied jars that jars.sha256 does not list: ${unknown}`);
  });
}

/** The folder with Apicurio Registry, from Maven Central (142 MB): a schema registry with Confluent's API. */
export function registryJars(): Promise<string> {
  return cached('apicurio', REGISTRY_SHA256, async (dir) => {
    // The plugin's `copy` needs a Maven project; `get` with a local repository does not.
    await run('mvn', [
      '-q',
      '-B',
      '--strict-checksums',
      `-Dmaven.repo.local=${dir}/m2`,
      `${PLUGIN}:get`,
      `-Dartifact=${REGISTRY}`,
      '-Dtransitive=false',
    ]);
    const file = join(dir, 'm2/io/apicurio/apicurio-registry-app/2.6.13.Final', REGISTRY_FILE);
    verify(file, REGISTRY_SHA256);
    await run('tar', ['-xzf', file, '-C', dir]);
    await run('rm', ['-rf', join(dir, 'm2')]);
  });
}

function verify(file: string, sha256: string): void {
  const actual = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (actual !== sha256) throw new Error(`${file} has the wrong sha256: ${actual}`);
}
