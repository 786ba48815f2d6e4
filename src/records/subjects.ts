import type { RegistryOptions } from '../kafka/options.ts';
import { type RecordName, schemaText } from './avro.ts';
import { confluentHeader, SchemaRegistry } from './schema-registry.ts';
import { topicNames } from './topics.ts';

/**
 * Registers the schemas of these records under their subjects (`<topic>-value`), or looks them up if
 * `options.register` is false. Returns the message header of each record. Throws REGISTRY_UNREACHABLE or
 * REGISTRY_REJECTED.
 */
export async function registerSchemas(
  options: RegistryOptions,
  topicPrefix: string,
  records: readonly RecordName[],
): Promise<ReadonlyMap<RecordName, Buffer>> {
  const registry = new SchemaRegistry(options);
  const topics = topicNames(topicPrefix);
  const headers = new Map<RecordName, Buffer>();
  for (const record of records) {
    const subject = `${topics[record]}-value`;
    const id = options.register
      ? await registry.register(subject, schemaText(record))
      : await registry.lookup(subject, schemaText(record));
    headers.set(record, confluentHeader(id));
  }
  return headers;
}
