/**
 * One 640×360 camera at 25 frames a second through the whole pipeline to the embedded broker, for a minute: the share of
 * frames with the face that become events, and the lag from capture to the broker's acknowledgement.
 *
 *     node bench/run.ts [seconds]
 */
import { fileURLToPath } from 'node:url';
import { openPipeline } from '../src/app/pipeline.ts';
import { configSchema } from '../src/config/schema.ts';
import { log } from '../src/log.ts';
import { Simulator } from '../src/simulate/simulator.ts';

const seconds = Number(process.argv[2] ?? 60);
const FPS = 25;

log.level = 'warn';
const clip = fileURLToPath(new URL('../models/demo/clip.mp4', import.meta.url));
const cameras = await Simulator.start({ sources: [clip] });
const config = configSchema.parse({
  cameras: [{ id: 'bench', url: cameras.urls[0] }],
  kafka: { embedded: true },
});
const ids = new Set<string>();
const usage = process.resourceUsage();
const pipeline = await openPipeline(config, {
  frames: (frames) => {
    for (const frame of frames) ids.add(frame.eventId);
  },
});
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
const { framesIn, events, dropped, lagMs } = await pipeline.stop({ modelMs: 30_000, kafkaMs: 5_000 });
await cameras.stop();

const hopMs = (config.infer.hop / FPS) * 1_000;
const used = process.resourceUsage();
const cpu = (used.userCPUTime + used.systemCPUTime - usage.userCPUTime - usage.systemCPUTime) / 1e6 / seconds;
console.log(
  JSON.stringify({
    seconds,
    framesIn,
    events,
    distinctEvents: ids.size,
    dropped,
    eventsPerFrame: Number((events / framesIn).toFixed(4)),
    lagMs,
    hopMs,
    p99BeyondHopMs: lagMs.p99 === null ? null : Math.round(lagMs.p99 - hopMs),
    hostCores: Number(cpu.toFixed(3)),
  }),
);
