import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { ACTIVE_INTENSITY, ClipScript, ScriptComparison } from '../app/demo-ground-truth.ts';
import { failureOf } from '../app/outcome.ts';
import { ResourceStack } from '../app/resource-stack.ts';
import { run } from '../app/run.ts';
import { summaryText } from '../app/summary-text.ts';
import { type Config, configSchema } from '../config/schema.ts';
import { consume } from '../consume/index.ts';
import type { AuState } from '../domain/event.ts';
import { AU_NAMES } from '../domain/scores.ts';
import { splitBrokers } from '../kafka/broker-address.ts';
import { log } from '../log.ts';
import { topicNames } from '../records/topics.ts';
import { Simulator } from '../simulate/simulator.ts';
import { type RenderedFrame, Renderer } from '../terminal/renderer.ts';
import { parseDuration } from './duration.ts';
import { setExitCode } from './exit-code.ts';
import { JsonLines } from './json-lines.ts';
import { PacedOutput } from './paced-output.ts';
import { dashboardFor } from './run.ts';
import { type StrictFlag, strictOption } from './strict.ts';
import { renderEvent } from './tail.ts';

const CLIP = fileURLToPath(new URL('../../models/demo/clip.mp4', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../../models/demo/truth.csv', import.meta.url));

interface DemoFlags extends StrictFlag {
  showVideo?: boolean;
  duration?: number;
  json?: boolean;
}

/** `austream demo`: simulated cameras, the pipeline, an embedded broker, and a consumer that shows its topics. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('See it work: a simulated camera, the pipeline, a broker, live Action Units')
    .argument('[file...]', 'clips or still images for the cameras to show (default: a synthetic face)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print events and camera states as JSON lines, and a summary as the last line')
    .option('--show-video', 'show pictures of faces on the live page')
    .addOption(strictOption())
    .action(async (files: string[], flags: DemoFlags) => {
      const resources = new ResourceStack();
      await resources.closeAfter(async () => {
        const simulator = await Simulator.start({ sources: files.length > 0 ? files : [CLIP] });
        resources.add('simulator', () => simulator.stop());
        const config = demoConfig(simulator);
        log.level = 'warn';
        if (flags.json) await runAsJson(config, flags);
        else
          await runInTerminal(config, simulator, files.length === 0 ? new ClipScript(SCRIPT) : null, flags);
      });
    });
}

function demoConfig(simulator: Simulator): Config {
  return configSchema.parse({
    cameras: simulator.urls.map((url, index) => ({ id: `demo-${index + 1}`, url })),
    kafka: { embedded: true },
    // Any free port, so that the demo also starts when 8080 is in use.
    http: { port: 0 },
  });
}

async function runAsJson(config: Config, { duration, strict = false }: DemoFlags): Promise<void> {
  const lines = new JsonLines();
  const { endReason, summary } = await run(config, { durationMs: duration, observer: lines });
  lines.summary(summary);
  setExitCode(endReason, failureOf(summary, { strict }));
}

async function runInTerminal(
  config: Config,
  simulator: Simulator,
  script: ClipScript | null,
  flags: DemoFlags,
): Promise<void> {
  const output = new PacedOutput();
  const renderer = new Renderer(output);
  const view = new DemoView(renderer, script, simulator);
  const stopConsuming = new AbortController();
  let consuming: Promise<void> | undefined;
  const { endReason, summary } = await run(config, {
    durationMs: flags.duration,
    // Without a terminal nobody could open the page: only a terminal may show its link.
    ...(process.stdout.isTTY
      ? {
          dashboard: dashboardFor(config, { dashboard: true, ...flags }),
          showLink: (link) => renderer.note(link),
        }
      : {}),
    hooks: {
      started: (brokers) => {
        renderer.note(`${simulator.urls.join(', ')} → topics on ${brokers}; Ctrl-C ends`);
        consuming = view.consume(config, brokers, stopConsuming.signal);
      },
      delivered: async () => {
        stopConsuming.abort();
        await consuming;
      },
    },
  });
  stopConsuming.abort();
  renderer.close();
  output.close();
  process.stdout.write(`\n${summaryText(summary)}${view.agreementText()}`);
  setExitCode(endReason, failureOf(summary, flags));
}

/** Shows the events of the topics and, below each face of the synthetic clip, the script that the clip plays. */
class DemoView {
  readonly #renderer: Renderer;
  readonly #script: ClipScript | null;
  readonly #comparison: ScriptComparison | null;
  readonly #simulator: Simulator;

  constructor(renderer: Renderer, script: ClipScript | null, simulator: Simulator) {
    this.#renderer = renderer;
    this.#script = script;
    this.#comparison = script && new ScriptComparison(script);
    this.#simulator = simulator;
  }

  async consume(config: Config, brokers: string, signal: AbortSignal): Promise<void> {
    const topics = topicNames(config.kafka.topicPrefix);
    const events = consume({
      brokers: splitBrokers(brokers),
      topics: [topics.AuFrame, topics.AuActivation, topics.CameraStatus],
      groupId: 'austream-demo',
      commit: false,
      fromBeginning: true,
      signal,
    });
    for await (const event of events) {
      renderEvent(this.#renderer, event);
      if (event.record === 'AuFrame') this.#compare(event.value);
    }
  }

  /** Renders the script's intensities at the frame's capture time as a second face. */
  #compare(frame: RenderedFrame): void {
    const startedAt = this.#startedAt();
    if (!this.#script || startedAt === null) return;
    this.#comparison?.add(frame);
    const intensities = this.#script.frames[this.#script.indexAt(frame.captureTime / 1e6, startedAt)]!;
    const states = AU_NAMES.map((name, au): [string, AuState] => {
      const p = intensities[au]!;
      return [name, { raw: p, p, active: p >= ACTIVE_INTENSITY, reliability: null }];
    });
    this.#renderer.frame({
      ...frame,
      cameraId: 'script',
      warmup: false,
      aus: Object.fromEntries(states) as RenderedFrame['aus'],
    });
  }

  /** When the camera sent its clip's first frame, in Unix seconds. */
  #startedAt(): number | null {
    const first = this.#simulator.started[0];
    return first ? first.startUnixMicros / 1e6 : null;
  }

  /** A table of each AU's agreement with the script; empty without a script or frames. */
  agreementText(): string {
    const startedAt = this.#startedAt();
    if (!this.#comparison || startedAt === null || this.#comparison.frames === 0) return '';
    const rows = this.#comparison
      .agreement(startedAt)
      .map(({ au, r, f1 }) => `  AU${au.slice(2)}   ${cell(r)}   ${cell(f1)}`);
    return `\nscores against the clip's script (–: the script does not move this AU)\n  AU        r     F1\n${rows.join('\n')}\n`;
  }
}

function cell(value: number | null): string {
  return (value === null ? '–' : value.toFixed(2)).padStart(5);
}
