import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fastestConfig } from '../../src/commands/model.ts';
import { recommendBatch } from '../../src/infer/engine/measure.ts';
import { OnnxSession } from '../../src/infer/engine/onnx/session.ts';
import { inferOptions } from '../../src/infer/options.ts';
import { modelFolder, tinyTensors } from '../infer/weights/model-folder.ts';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
let scratch: string;
let folder: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'austream-model-command-'));
  folder = modelFolder();
});
afterAll(() => {
  for (const made of [scratch, folder]) rmSync(made, { recursive: true, force: true });
});

function austream(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, XDG_CACHE_HOME: scratch };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'model', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

describe('austream model', () => {
  it('info describes the bundled model and its computing cost', async () => {
    const { code, stdout } = await austream('info', '--json', '--tensors');
    expect(code).toBe(0);
    const info = JSON.parse(stdout);
    const manifest = JSON.parse(readFileSync('models/edge/model.json', 'utf8'));
    expect(info).toMatchObject({
      preset: 'edge',
      trained: true,
      sha256: manifest.weights[0].sha256,
      parameters: 5_206_384,
      embeddingSize: 448,
      thresholds: manifest.thresholds,
      smoothing: manifest.smoothing,
      runsOn: { engine: 'onnx' },
    });
    expect(info.tensors['vivit.head.weight']).toEqual([12, 128]);
    const text = (await austream('info')).stdout;
    expect(text).toContain('5.21 M');
    expect(text).toContain('RegNet-ViT + Nguyen (fused), one shared backbone');
  });

  it('verify accepts valid weights, and rejects others with exit code 1, the cause and a fix', async () => {
    const passed = await austream('verify', folder);
    expect(passed).toMatchObject({ code: 0, stderr: '' });
    expect(passed.stdout).toMatch(/^tiny 1 is valid: sha256 [0-9a-f]{64}\n$/);
    const tensors = tinyTensors();
    tensors.delete('vivit.head.bias');
    const broken = modelFolder({ tensors });
    const refused = await austream('verify', broken);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toMatch(/1 missing:\n\s+vivit\.head\.bias \[12\]\n\s+→ check/);
    rmSync(broken, { recursive: true });
  });

  it('build writes graphs that ONNX Runtime opens, and no other files', async () => {
    const out = join(scratch, 'graphs');
    const { code, stdout } = await austream('build', folder, '--out', out, '--hop', '8', '--json');
    expect(code).toBe(0);
    const { files } = JSON.parse(stdout);
    const graphs = ['frame', 'window-8', 'window-256'];
    expect(files).toEqual(graphs.map((name) => join(out, `${name}.onnx`)));
    expect(readdirSync(out).sort()).toEqual(graphs.flatMap((name) => [`${name}.bin`, `${name}.onnx`]).sort());
    for (const file of files) await (await OnnxSession.open(file)).close();
  });

  it('bench measures every engine configuration, or reports why one failed', async () => {
    const { code, stdout } = await austream('bench', folder, '--seconds', '1', '--threads', '1', '--json');
    expect(code).toBe(0);
    const { results } = JSON.parse(stdout);
    const configs = results.map((r: Record<string, string>) => `${r.engine} ${r.device} ${r.precision}`);
    for (const config of ['onnx cpu fp32', 'onnx cpu fp16', 'onnx cpu int8', 'tfjs wasm fp32'])
      expect(configs).toContain(config);
    for (const result of results.filter((r: Record<string, string>) => r.device === 'cpu'))
      for (const figure of ['framesPerSecond', 'hopMs', 'hopCpuMs', 'fullMs', 'peakMemoryMb'])
        expect(result[figure], figure).toBeGreaterThan(0);
    for (const { batch, batches } of results) expect(batch).toEqual(recommendBatch(batches));
  }, 600_000);

  it('bench recommends the smallest batch within a tenth of the best throughput, and a deadline of about its run time', () => {
    const gpu = [
      { crops: 1, ms: 2 },
      { crops: 4, ms: 2.2 },
      { crops: 16, ms: 3.1 },
      { crops: 64, ms: 8.2 },
      { crops: 256, ms: 31 },
    ];
    expect(recommendBatch(gpu)).toEqual({ max: 64, deadlineMs: 9 });
    expect(recommendBatch([{ crops: 1, ms: 4 }])).toEqual({ max: 1, deadlineMs: 4 });
  });

  it('bench prints the fastest configuration as valid config', () => {
    const figures = { batches: [], framesPerSecond: 1, hopCpuMs: 1, fullMs: 1, peakMemoryMb: 1 };
    const text = fastestConfig([
      {
        engine: 'onnx',
        device: 'cpu',
        precision: 'fp32',
        ...figures,
        hopMs: 40,
        batch: { max: 4, deadlineMs: 9 },
      },
      {
        engine: 'onnx',
        device: 'cuda',
        precision: 'fp16',
        ...figures,
        hopMs: 4,
        batch: { max: 64, deadlineMs: 12 },
      },
      { engine: 'onnx', device: 'tensorrt', precision: 'fp16', failed: 'no provider' },
    ]);
    const { infer } = parse(text.slice(text.indexOf('infer:')));
    expect(inferOptions.parse(infer)).toMatchObject({
      ...{ engine: 'onnx', device: 'cuda', precision: 'fp16' },
      batch: { max: 64, deadlineMs: 12 },
    });
  });

  it.each([[['bench', '--hop', '0']], [['build', '--precision', 'fp8']], [['info', '--preset', 'huge']]])(
    'rejects %j with exit code 2',
    async (args) => {
      const { code, stderr } = await austream(...args);
      expect(code).toBe(2);
      expect(stderr).toContain(args[1]);
    },
  );
});
