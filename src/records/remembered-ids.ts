import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { readBoundedFile } from '../bounded-file.ts';

const FILE = 'schema-ids.json';
const MAX_FILE_BYTES = 1 << 20;

/** A schema under a subject, and its id in the registry once that is known. */
export interface RememberedSchema {
  /** The schema's fingerprint as 16 hexadecimal digits. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly schema: string;
  readonly id: number | null;
}

/**
 * The schemas of the records in a spool, and their ids in the registry at `url`. A later process, perhaps of another
 * version, can then deliver the spool while the registry is away. Ids of another registry mean nothing and are left out.
 * A missing or unreadable file is an empty one: the registry knows all ids.
 */
export function readRemembered(folder: string, url: string): RememberedSchema[] {
  try {
    const content = JSON.parse(readBoundedFile(join(folder, FILE), MAX_FILE_BYTES));
    return content.schemas
      .filter(isRemembered)
      .map((schema: RememberedSchema) => (content.url === url ? schema : { ...schema, id: null }));
  } catch {
    return [];
  }
}

/** Replaces the file at once: a crash leaves the old or the new one. Throws errors of the file system. */
export function writeRemembered(folder: string, url: string, schemas: readonly RememberedSchema[]): void {
  const path = join(folder, FILE);
  const file = openSync(`${path}.new`, 'w');
  try {
    writeSync(file, JSON.stringify({ url, schemas }));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}

function isRemembered(value: Partial<RememberedSchema> | null): boolean {
  return (
    typeof value?.fingerprint === 'string' &&
    /^[0-9a-f]{16}$/.test(value.fingerprint) &&
    typeof value.subject === 'string' &&
    typeof value.schema === 'string' &&
    (value.id === null || (Number.isInteger(value.id) && value.id! >= 0 && value.id! <= 0x7fff_ffff))
  );
}
