import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { ClipScript, ScriptComparison } from '../app/demo-truth.ts';
import { summaryText } from '../app/summary.ts';
import { type Config, configSchema } from '../config/schema.ts';
import { consume } from '../consume/index.ts';
import type { AuState } from '../domain/event.ts';
import { AU_NAMES } from '../domain/scores.ts';
import { log } from '../log.ts';
import { topicNames } from '../records/topics.ts';
import { Simulator } from '../simulate/simulator.ts';
import { Renderer, type ShownFrame } from '../terminal/renderer.ts';
import { parseDuration } from './duration.ts';
import { dashboardOf, jsonLines, print, run } from './run.ts';
import { show } from './tail.ts';

const CLIP = fileURLToPath(new URL('../../models/demo/clip.mp4', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../../models/demo/truth.csv', import.meta.url));

interface DemoFlags {
  showVideo?: boolean;
  duration?: number;
  json?: boolean;
}

/** `austream demo`: simulated cameras, the whole pipeline, an embedded broker, and its topics as a consumer sees them. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('See it work: a simulated camera, the pipeline, a broker, live Action Units')
    .argument('[file...]', 'clips or still images for the cameras to show (default: a synthetic face)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print events and camera states as JSON lines, and a summary as the last one')
    .option('--show-video', 'show pictures of faces on the live page')
    .action(async (files: string[], options: DemoFlags) => {
      const cameras = await Simulator.start({ sources: files.length > 0 ? files : [CLIP] });
      try {
        await demo(cameras, files.length === 0, options);
      } finally {
        await cameras.stop();
      }
    });
}

async function demo(cameras: Simulator, scripted: boolean, options: DemoFlags): Promise<void> {
  const config = configSchema.parse({
    cameras: cameras.urls.map((url, index) => ({ id: `demo-${index + 1}`, url })),
    kafka: { embedded: true },
    // Any free port: a demo must not fail because 8080 is taken.
    http: { port: 0 },
  });
  log.level = 'warn';
  if (options.json) {
    const { ending, summary } = await run(config, {
      durationMs: options.duration,
      observer: jsonLines(print),
    });
    print({ type: 'summary', ...summary });
    if (ending === 'interrupted') process.exitCode = 130;
    return;
  }
  const renderer = new Renderer(process.stdout);
  const watch = new DemoView(renderer, scripted ? new ClipScript(SCRIPT) : null, cameras);
  const leave = new AbortController();
  let watching: Promise<void> | undefined;
  const { ending, summary } = await run(config, {
    durationMs: options.duration,
    dashboard: dashboardOf(config, { dashboard: true, ...options }),
    audience: {
      started: (brokers, page) => {
        renderer.note(`${cameras.urls.join(', ')} → topics on ${brokers}; Ctrl-C ends`);
        if (page) renderer.note(`live page: ${page}`);
        watching = watch.follow(config, brokers, leave.signal);
      },
      delivered: async () => {
        leave.abort();
        await watching;
      },
    },
  });
  renderer.close();
  process.stdout.write(`\n${summaryText(summary)}${watch.agreement()}`);
  if (ending === 'interrupted') process.exitCode = 130;
}

/** Shows what arrives on the topics; below each face of the synthetic clip the script that it plays. */
class DemoView {
  readonly #renderer: Renderer;
  readonly #script: ClipScript | null;
  readonly #comparison: ScriptComparison | null;
  readonly #cameras: Simulator;

  constructor(renderer: Renderer, script: ClipScript | null, cameras: Simulator) {
    this.#renderer = renderer;
    this.#script = script;
    this.#comparison = script && new ScriptComparison(script);
    this.#cameras = cameras;
  }

  async follow(config: Config, brokers: string, signal: AbortSignal): Promise<void> {
    const topics = topicNames(config.kafka.topicPrefix);
    const events = consume({
      brokers: brokers.split(','),
      topics: [topics.AuFrame, topics.AuActivation, topics.CameraStatus],
      groupId: 'austream-demo',
      commit: false,
      fromBeginning: true,
      signal,
    });
    for await (const event of events) {
      show(this.#renderer, event);
      if (event.record === 'AuFrame') this.#compare(event.value);
    }
  }

  #compare(frame: ShownFrame): void {
    const began = this.#began();
    if (!this.#script || began === null) return;
    this.#comparison?.add(frame);
    const row = this.#script.frames[this.#script.indexAt(frame.captureTime / 1e6, began)]!;
    const states = AU_NAMES.map((name, au): [string, AuState] => {
      const p = row[au]!;
      return [name, { raw: p, p, active: p >= 0.3, reliability: null }];
    });
    this.#renderer.frame({
      ...frame,
      cameraId: 'script',
      warmup: false,
      aus: Object.fromEntries(states) as ShownFrame['aus'],
    });
  }

  /** When the camera showed its clip's first frame, in Unix seconds. */
  #began(): number | null {
    const first = this.#cameras.started[0];
    return first ? first.startUnixMicros / 1e6 : null;
  }

  agreement(): string {
    const began = this.#began();
    if (!this.#comparison || began === null || this.#comparison.frames === 0) return '';
    const rows = this.#comparison
      .agreement(began)
      .map(({ au, r, f1 }) => `  AU${au.slice(2)}   ${cell(r)}   ${cell(f1)}`);
    return `\nscores against the clip's script (–: the script does not move this AU)\n  AU        r     F1\n${rows.join('\n')}\n`;
  }
}

function cell(value: number | null): string {
  return (value === null ? '–' : value.toFixed(2)).padStart(5);
}
