import { afterAll, describe, expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';
import type { FuzzTarget } from './target.ts';
import { frameBytes, frameJson, messageLines } from './targets/camera-process.ts';
import { configFile, eventFile, spoolSegment } from './targets/config.ts';
import { cropRecord } from './targets/crop-record.ts';
import {
  cameraRoutes,
  controlAnswers,
  controlSocket,
  onvifAnswers,
  probeMatches,
  registryAnswers,
} from './targets/network.ts';
import { busMessages, gdpPackets, rtsp, senderReports } from './targets/stream.ts';
import { cameraRecord, ownerNote, stateRecord } from './targets/table-records.ts';
import { manifest, safetensors, safetensorsHeader } from './targets/weights.ts';

const TARGETS: readonly FuzzTarget[] = [
  { ...cropRecord, quick: 1_000 },
  stateRecord,
  ownerNote,
  cameraRecord,
  frameBytes,
  frameJson,
  messageLines,
  controlSocket,
  controlAnswers,
  onvifAnswers,
  probeMatches,
  rtsp,
  busMessages,
  senderReports,
  gdpPackets,
  safetensors,
  safetensorsHeader,
  manifest,
  registryAnswers,
  cameraRoutes,
  configFile,
  spoolSegment,
  eventFile,
];
/** Mutations of each target; without it as many as take about a minute in all. */
const MUTATIONS = Number(process.env.FUZZ_MUTATIONS ?? 0);
const SEED = Number(process.env.FUZZ_SEED ?? 24);
const QUICK = 3_000;
const HOUR_MS = 3_600_000;

describe('mutations of what others send', () => {
  for (const target of TARGETS) {
    const count = MUTATIONS || (target.quick ?? QUICK);
    test(`${target.name}: ${count}`, { timeout: 10 * HOUR_MS }, async () => {
      const findings = await fuzz(target, count, SEED);
      expect(
        findings.map(({ index, problem, input }) => ({
          index,
          problem,
          input: input.toString('latin1').slice(0, 2_000),
        })),
      ).toEqual([]);
    });
  }
});

afterAll(() => Promise.all(TARGETS.map((target) => target.close?.())));
