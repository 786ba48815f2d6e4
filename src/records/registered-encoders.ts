import type { KafkaOptions } from '../kafka/options.ts';
import { RecordEncoder, type RecordName } from './avro.ts';
import { SchemaIds, type SchemaIdsOptions } from './schema-ids.ts';

/** Encoders of records whose schemas are in the registry of the config, if it has one. */
export interface RegisteredEncoders<R extends RecordName> {
  readonly encoders: Readonly<Record<R, RecordEncoder>>;
  /** Ends the checks of the registry. */
  close(): void;
}

/**
 * Encoders for processes without a spool: the registry must know the schemas before they start. Later, messages follow a
 * registry that has lost its contents and gave the schemas new ids. Throws REGISTRY_UNREACHABLE or REGISTRY_REJECTED if
 * the ids are not known within `connectSeconds`.
 */
export async function openEncoders<R extends RecordName>(
  {
    registry,
    topicPrefix,
    connectSeconds,
  }: Pick<KafkaOptions, 'registry' | 'topicPrefix' | 'connectSeconds'>,
  records: readonly R[],
  checks: Pick<SchemaIdsOptions, 'checkMs'> = {},
): Promise<RegisteredEncoders<R>> {
  const list = records.map((record) => new RecordEncoder(record));
  const encoders = Object.fromEntries(records.map((record, index) => [record, list[index]])) as Record<
    R,
    RecordEncoder
  >;
  if (!registry) return { encoders, close: () => {} };
  const update = (ids: SchemaIds) => {
    for (const encoder of list) encoder.header = ids.header(encoder.fingerprint) ?? encoder.header;
  };
  const ids: SchemaIds = await SchemaIds.open({
    ...{ registry, topicPrefix, connectSeconds, records, folder: null, ...checks },
    changed: (changed) => update(changed),
  });
  update(ids);
  return { encoders, close: () => ids.close() };
}
