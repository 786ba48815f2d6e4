import type { RegistryOptions } from '../kafka/options.ts';
import { type RecordName, schemaText } from './avro.ts';
import { confluentHeader, SchemaRegistry } from './schema-registry.ts';
import { topicNames } from './topics.ts';

/** Registers (or looks up) the schemas of these records; returns the header of each one's messages. */
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
