import avro from 'avsc';
import type { FrameHead } from '../domain/event.ts';
import { schemaText } from './avro.ts';

/** The first fields of an AuFrame, in the order of its schema. */
const FIELDS: Readonly<Record<keyof FrameHead, true>> = {
  eventId: true,
  cameraId: true,
  epoch: true,
  trackId: true,
  frame: true,
  captureTime: true,
  clockSource: true,
  clockErrorMs: true,
  receivedAt: true,
};

let type: avro.Type | null = null;

/** Decodes the head of an AuFrame whose Avro binary begins at `offset`, without the rest; null if there is none. */
export function decodeFrameHead(message: Buffer, offset: number): FrameHead | null {
  type ??= headType();
  try {
    const { value, offset: end } = type.decode(message, offset);
    return end < 0 ? null : (value as FrameHead);
  } catch {
    return null;
  }
}

function headType(): avro.Type {
  const { fields } = JSON.parse(schemaText('AuFrame')) as { fields: { name: string; type: avro.Schema }[] };
  const head = fields.slice(0, Object.keys(FIELDS).length);
  return avro.Type.forSchema({ type: 'record', name: 'AuFrameHead', fields: head });
}
