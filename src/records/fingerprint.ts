import type avro from 'avsc';

/** CRC-64-AVRO's polynomial, which is also the fingerprint of nothing (Avro specification, Schema Fingerprints). */
const EMPTY = 0xc15d213aa4d7a795n;

const TABLE = Array.from({ length: 256 }, (_, index) => {
  let fingerprint = BigInt(index);
  for (let bit = 0; bit < 8; bit += 1) fingerprint = (fingerprint >> 1n) ^ (fingerprint & 1n ? EMPTY : 0n);
  return fingerprint;
});

/** CRC-64-AVRO (Rabin) of bytes. */
export function rabin(bytes: Uint8Array): bigint {
  let fingerprint = EMPTY;
  for (const byte of bytes)
    fingerprint = (fingerprint >> 8n) ^ TABLE[Number((fingerprint ^ BigInt(byte)) & 0xffn)]!;
  return fingerprint;
}

/** A schema's fingerprint as single-object encoding writes it: of the Parsing Canonical Form, little-endian. */
export function avroFingerprint(type: avro.Type): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(rabin(Buffer.from(canonicalForm(type))));
  return bytes;
}

/** Avro's Parsing Canonical Form: what is needed to read data, nothing else, in one spelling. */
export function canonicalForm(type: avro.Type): string {
  return JSON.stringify(type.schema());
}
