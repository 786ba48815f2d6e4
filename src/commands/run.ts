import { Command } from 'commander';
import type { Dashboard } from '../app/live-page.ts';
import { failureOf } from '../app/outcome.ts';
import { run } from '../app/run.ts';
import { summaryText } from '../app/summary-text.ts';
import { type Config, loadConfig } from '../config/schema.ts';
import { logConfigWarnings } from '../config/warnings.ts';
import { openDashboard } from '../dashboard/index.ts';
import { log, redirectLog } from '../log.ts';
import { CameraLines } from '../terminal/camera-lines.ts';
import { parseDuration } from './duration.ts';
import { setExitCode } from './exit-code.ts';
import { JsonLines } from './json-lines.ts';
import { PacedOutput } from './paced-output.ts';
import { type StrictFlag, strictOption } from './strict.ts';

interface RunFlags extends DashboardFlags, StrictFlag {
  config: string;
  duration?: number;
  json?: boolean;
}

export interface DashboardFlags {
  dashboard?: boolean;
  showVideo?: boolean;
}

/** `austream run`: cameras to topics on this machine. */
export function runCommand(): Command {
  return new Command('run')
    .description('Watch the cameras of a config and publish their events')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print events and camera states as JSON lines, and a summary as the last line')
    .option('--dashboard', 'serve the live page on http.port (8080 when the config has none)')
    .option('--show-video', 'show pictures of faces on the live page; they are never stored')
    .addOption(strictOption())
    .action(async (flags: RunFlags) => {
      const config = loadConfig(flags.config);
      log.level = config.log.level;
      const terminal = !flags.json && process.stdout.isTTY ? new PacedOutput() : null;
      const cameraLines = terminal && new CameraLines(terminal);
      const jsonLines = flags.json ? new JsonLines() : null;
      if (cameraLines) redirectLog((message) => cameraLines.note(message));
      logConfigWarnings(config, flags.config);
      const { endReason, summary } = await run(config, {
        durationMs: flags.duration,
        observer: jsonLines ?? cameraLines ?? {},
        dashboard: dashboardFor(config, flags),
        showLink: terminalPrinter(cameraLines),
        file: flags.config,
      });
      cameraLines?.close();
      terminal?.close();
      if (jsonLines) jsonLines.summary(summary);
      else if (cameraLines) process.stdout.write(`\n${summaryText(summary)}`);
      else log.info(summary, 'summary');
      setExitCode(endReason, failureOf(summary, flags));
    });
}

/** Prints on the terminal; undefined without one, for instance in a service whose output is kept as a log. */
function terminalPrinter(cameraLines: CameraLines | null): ((text: string) => void) | undefined {
  if (cameraLines) return (text) => cameraLines.note(text);
  return process.stderr.isTTY ? (text) => void process.stderr.write(`${text}\n`) : undefined;
}

/** The live page, when the flags ask for it. */
export function dashboardFor(
  config: Config,
  { dashboard = false, showVideo = false }: DashboardFlags,
): Dashboard | undefined {
  return dashboard || showVideo ? openDashboard(config, { showVideo }) : undefined;
}
