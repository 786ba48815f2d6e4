import type { BenchOptions, EngineConfig } from './bench.ts';
import { openEngine } from './index.ts';
import { measureEngine } from './measure.ts';
import { openModelSource } from './model-source.ts';

/** The process that `benchWay` starts: measures one way to run a model, prints JSON. */
const { way, ...options } = JSON.parse(process.argv[2]!) as BenchOptions & { way: EngineConfig };
try {
  const { net, weights } = await openModelSource(options);
  const engine = await openEngine(net, weights, { ...way, why: '' }, options, undefined);
  const measurement = await measureEngine(engine, net, options);
  await engine.close();
  // Kilobytes, of the whole life of the process.
  const peakMemoryMb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(JSON.stringify({ ...measurement, peakMemoryMb }), () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`, () => process.exit(1));
}
