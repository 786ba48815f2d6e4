import { runCameraChild } from '../../../src/ingest/child/child.ts';
import { openChecksum } from './checksum.ts';

runCameraChild((options) => openChecksum(options));
