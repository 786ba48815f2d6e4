import type { BenchOptions, Way } from './bench.ts';
import { openEngine } from './index.ts';
import { measure } from './measure.ts';
import { openSource } from './model-source.ts';

/** The process that `benchWay` starts: measures one way to run a model, prints JSON. */
const { way, ...options } = JSON.parse(process.argv[2]!) as BenchOptions & { way: Way };
try {
  const { net, weights } = await openSource(options);
  const engine = await openEngine(net, weights, { ...way, why: '' }, options, undefined);
  const measurement = await measure(engine, net, options);
  await engine.close();
  // Kilobytes, of the whole life of the process.
  const peakMemoryMb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(JSON.stringify({ ...measurement, peakMemoryMb }), () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`, () => process.exit(1));
}
