import { SINGLE_OBJECT_HEADER_BYTES, singleObjectFingerprint } from '../records/fingerprint.ts';
import type { SchemaIds } from '../records/schema-ids.ts';
import type { WireFormat } from './lane-connection.ts';

/** Without a registry, records are sent as they are. */
export const AS_ENCODED: WireFormat = (value) => value;

/**
 * With a registry: the header of Avro's single-object encoding becomes Confluent's. A record with another header, spooled by
 * an older version, is sent as it is.
 */
export function confluentFormat(ids: SchemaIds): WireFormat {
  return (value) => {
    const fingerprint = singleObjectFingerprint(value);
    if (fingerprint === null) return value;
    const header = ids.header(fingerprint);
    if (!header) return ids.hold(fingerprint)!;
    const wire = Buffer.allocUnsafe(header.length + value.length - SINGLE_OBJECT_HEADER_BYTES);
    header.copy(wire);
    value.copy(wire, header.length, SINGLE_OBJECT_HEADER_BYTES);
    return wire;
  };
}
