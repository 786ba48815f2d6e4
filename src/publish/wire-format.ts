import { SINGLE_OBJECT_MARKER } from '../records/avro.ts';
import type { SchemaIds } from '../records/schema-ids.ts';

/** Why records are not delivered at present. */
export interface HoldReason {
  /** Machine-readable, e.g. `kafka_unreachable`. */
  readonly cause: string;
  readonly detail: string;
}

/** The bytes to send, or why they cannot be sent at present. */
export type WireFormat = (value: Buffer) => Buffer | HoldReason;

/** Without a schema registry records are sent as they are encoded. */
export const AS_ENCODED: WireFormat = (value) => value;

/** With a registry a record gets the header of its schema's id, which may not be known yet. */
export function confluentFormat(ids: SchemaIds): WireFormat {
  return (value) =>
    ids.toConfluent(value) ??
    ids.hold(value.readBigUInt64LE(SINGLE_OBJECT_MARKER.length)) ?? {
      cause: 'registry_unreachable',
      detail: 'the schema id became known a moment ago',
    };
}
