import type avro from 'avsc';

/** The polynomial of CRC-64-AVRO, which is also the fingerprint of no bytes (Avro specification, Schema Fingerprints). */
const EMPTY = 0xc15d213aa4d7a795n;

const TABLE = Array.from({ length: 256 }, (_, index) => {
  let fingerprint = BigInt(index);
  for (let bit = 0; bit < 8; bit += 1) fingerprint = (fingerprint >> 1n) ^ (fingerprint & 1n ? EMPTY : 0n);
  return fingerprint;
});

/** CRC-64-AVRO, the 64-bit Rabin fingerprint. */
export function rabin(bytes: Uint8Array): bigint {
  let fingerprint = EMPTY;
  for (const byte of bytes)
    fingerprint = (fingerprint >> 8n) ^ TABLE[Number((fingerprint ^ BigInt(byte)) & 0xffn)]!;
  return fingerprint;
}

/** The schema's fingerprint as in single-object encoding: of its Parsing Canonical Form, 8 bytes, little-endian. */
export function avroFingerprint(type: avro.Type): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(rabin(Buffer.from(canonicalForm(type))));
  return bytes;
}

/** Avro's Parsing Canonical Form: the schema without docs and other attributes that reading does not need. */
export function canonicalForm(type: avro.Type): string {
  return JSON.stringify(type.schema());
}
