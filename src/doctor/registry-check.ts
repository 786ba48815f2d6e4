import type { AustreamError } from '../errors.ts';
import type { KafkaOptions, RegistryOptions } from '../kafka/options.ts';
import { type RecordName, schemaText } from '../records/avro.ts';
import { SchemaRegistry } from '../records/schema-registry.ts';
import { subjectOf } from '../records/subjects.ts';
import type { Finding } from './host-checks.ts';

const RECORDS = ['AuFrame', 'AuActivation', 'CameraStatus'] as const satisfies readonly RecordName[];
const TIMEOUT_SECONDS = 3;

/** Whether the registry has the schemas of the events, or would get them at the start. It writes nothing. */
export async function checkRegistry(registry: RegistryOptions, kafka: KafkaOptions): Promise<Finding> {
  const name = 'schema registry';
  const { url, register } = registry;
  const client = new SchemaRegistry({ ...registry, timeoutSeconds: TIMEOUT_SECONDS });
  try {
    const missing: string[] = [];
    for (const record of RECORDS) {
      const subject = subjectOf(kafka.topicPrefix, record);
      const { id } = await client.lookup(subject, schemaText(record));
      if (id === null) missing.push(subject);
    }
    if (missing.length === 0) return { name, state: 'ok', detail: `${url} has all schemas` };
    const detail = `${url} has no schema of this version for ${missing.join(', ')}`;
    if (register) return { name, state: 'ok', detail: `${detail} yet: austream registers it` };
    const fix = 'register schemas/*.avsc under these subjects, or set kafka.registry.register: true';
    return { name, state: 'missing', detail, fix };
  } catch (error) {
    const { message, fix } = error as AustreamError;
    return { name, state: 'missing', detail: message, ...(fix ? { fix } : {}) };
  }
}
