import type { BenchOptions, EngineConfig } from './bench.ts';
import { openEngine } from './index.ts';
import { measureEngine } from './measure.ts';
import { openModelSource } from './model-source.ts';

/** Child process of `benchmarkEngine`: measures one engine configuration and prints the result as JSON. */
const { config, ...options } = JSON.parse(process.argv[2]!) as BenchOptions & { config: EngineConfig };
try {
  const { net, weights } = await openModelSource(options);
  const engine = await openEngine(net, weights, { ...config, why: '' }, options, undefined);
  const measurement = await measureEngine(engine, net, options);
  await engine.close();
  // maxRSS is in kilobytes, the peak since the process started.
  const peakMemoryMb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(JSON.stringify({ ...measurement, peakMemoryMb }), () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`, () => process.exit(1));
}
