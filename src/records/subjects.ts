import { AustreamError } from '../errors.ts';
import type { RegistryOptions } from '../kafka/options.ts';
import { log } from '../log.ts';
import type { RecordName } from './avro.ts';
import type { SchemaRegistry } from './schema-registry.ts';
import { topicNames } from './topics.ts';

/** The subject of a record's topic (Confluent's TopicNameStrategy). */
export function subjectOf(topicPrefix: string, record: RecordName): string {
  return `${topicNames(topicPrefix)[record]}-value`;
}

/**
 * The id of a schema under a subject: looked up, or registered if `options.register` is true. A subject that this call
 * creates gets `options.compatibility`; nobody else's level is changed. Throws REGISTRY_UNREACHABLE or REGISTRY_REJECTED.
 */
export async function subjectSchemaId(
  registry: SchemaRegistry,
  options: RegistryOptions,
  subject: string,
  schema: string,
): Promise<number> {
  const { id, subjectExists } = await registry.lookup(subject, schema);
  if (id !== null) return id;
  if (!options.register)
    throw new AustreamError(
      'REGISTRY_REJECTED',
      `the schema registry at ${options.url} does not have austream’s schema under the subject ${subject}`,
      { fix: 'register schemas/*.avsc under their subjects, or set kafka.registry.register: true' },
    );
  const level = subjectExists ? 'unknown' : await levelBefore(registry, options, subject);
  const registered = await registry.register(subject, schema);
  if (level === null) await setLevel(registry, options, subject);
  return registered;
}

/** Somebody may have set the level before the first schema was registered. */
async function levelBefore(registry: SchemaRegistry, options: RegistryOptions, subject: string) {
  if (options.compatibility === null) return 'unknown';
  return registry.compatibility(subject).catch((error: Error) => {
    warnUnset(subject, error);
    return 'unknown';
  });
}

/**
 * A replica that lags does not know an old subject: its versions and its level are read again. Apicurio answers with the
 * registry's level for a subject without its own.
 */
async function setLevel(registry: SchemaRegistry, { compatibility }: RegistryOptions, subject: string) {
  try {
    if ((await registry.versions(subject)).length > 1) return;
    const level = await registry.compatibility(subject);
    if (level !== null && level !== (await registry.compatibility(null))) return;
    await registry.setCompatibility(subject, compatibility!);
  } catch (error) {
    warnUnset(subject, error as Error);
  }
}

function warnUnset(subject: string, { message }: Error): void {
  log.warn(
    { subject },
    `the new subject ${subject} keeps the registry’s own compatibility level: ${message}`,
  );
}
