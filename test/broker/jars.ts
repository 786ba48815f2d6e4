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

/** Releases of Apicurio Registry, by major version. */
const REGISTRIES = {
  2: { version: '2.6.13.Final', sha256: '3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba' },
  3: { version: '3.3.3', sha256: '8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63' },
} as const;
export type ApicurioMajor = keyof typeof REGISTRIES;

/** The folder with Apache Kafka's jars, from Maven Central (43 MB). */
export function kafkaJars(): Promise<string> {
  return mavenJars('kafka', HERE);
}

/** The folder with the jars of `folder`/pom.xml, from Maven Central. Each is verified against `folder`/jars.sha256. */
export function mavenJars(name: string, folder: string): Promise<string> {
  const list = readFileSync(join(folder, 'jars.sha256'), 'utf8');
  return cached(name, list, async (dir) => {
    await run('mvn', [
      '-q',
      '-B',
      '--strict-checksums',
      '-f',
      join(folder, 'pom.xml'),
      `${PLUGIN}:copy-dependencies`,
      `-DoutputDirectory=${dir}`,
    ]);
    const hashes = list
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/) as [string, string]);
    for (const [sha256, jar] of hashes) verify(join(dir, jar), sha256);
    const unknown = readdirSync(dir).filter((file) => !hashes.some(([, jar]) => jar === file));
    if (unknown.length > 0) throw new Error(`Maven copied jars that jars.sha256 does not list: ${unknown}`);
  });
}

/** The folder with Apicurio Registry, from Maven Central (142 and 166 MB): a schema registry with Confluent's API. */
export function registryJars(major: ApicurioMajor): Promise<string> {
  const { version, sha256 } = REGISTRIES[major];
  return cached('apicurio', sha256, async (dir) => {
    // The plugin's `copy` needs a Maven project; `get` with a local repository does not.
    await run('mvn', [
      '-q',
      '-B',
      '--strict-checksums',
      `-Dmaven.repo.local=${dir}/m2`,
      `${PLUGIN}:get`,
      `-Dartifact=io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
      '-Dtransitive=false',
    ]);
    const file = join(
      ...[dir, 'm2/io/apicurio/apicurio-registry-app', version],
      `apicurio-registry-app-${version}-all.tar.gz`,
    );
    verify(file, sha256);
    await run('tar', ['-xzf', file, '-C', dir]);
    await run('rm', ['-rf', join(dir, 'm2')]);
  });
}

function verify(file: string, sha256: string): void {
  const actual = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (actual !== sha256) throw new Error(`${file} has the wrong sha256: ${actual}`);
}
