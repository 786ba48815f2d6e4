import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url));
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/**
 * The folder with Apache Kafka's jars. The first call brings them from Maven Central (43 MB) and checks each
 * against jars.sha256; later ones, of any process, find them in `.cache/`.
 */
export async function kafkaJars(): Promise<string> {
  const list = readFileSync(join(HERE, 'jars.sha256'), 'utf8');
  const folder = join(CACHE, `kafka-${createHash('sha256').update(list).digest('hex').slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  const stage = `${folder}.${randomUUID()}`;
  mkdirSync(stage, { recursive: true });
  try {
    await promisify(execFile)('mvn', [
      '-q',
      '-B',
      '-f',
      join(HERE, 'pom.xml'),
      COPY,
      `-DoutputDirectory=${stage}`,
    ]);
    for (const line of list.trim().split('\n')) {
      const [want, name] = line.split(/\s+/) as [string, string];
      const found = createHash('sha256')
        .update(readFileSync(join(stage, name)))
        .digest('hex');
      if (found !== want) throw new Error(`${name} is not the jar that jars.sha256 names`);
    }
    // Another process may have been faster: then its folder stands, and is the same.
    if (!existsSync(folder)) renameSync(stage, folder);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  return folder;
}
