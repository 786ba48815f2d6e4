import { setImmediate } from 'node:timers/promises';
import { PacedOutput } from '../../src/commands/paced-output.ts';

// Writes 100 MB of lines to standard output, as a live view (argument `live`) or as a source that waits. The last line of
// standard error has the peak memory and the number of lines left out.

const LINES = 100_000;
const output = new PacedOutput();
const text = 'x'.repeat(1_000);
for (let line = 0; line < LINES; line++) {
  output.write(`${line} ${text}\n`);
  if (process.argv[2] !== 'live') await output.room();
  else if (line % 100 === 0) await setImmediate();
}
output.close();
const peakMb = process.resourceUsage().maxRSS / 1_024;
process.stderr.write(`\n${JSON.stringify({ peakMb, leftOut: output.leftOut })}\n`);
