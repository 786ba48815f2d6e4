import { AU_NAMES, type AuName } from '../domain/scores.ts';
import type { EngineChoice } from '../infer/engine/model.ts';
import type { ModelSource } from '../infer/engine/model-source.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../infer/model/architecture.ts';
import { parameterManifest } from '../infer/model/parameter-manifest.ts';
import type { Manifest } from '../infer/weights/manifest.ts';

/** The output of `austream model info`. */
export interface ModelDescription {
  readonly model: string;
  readonly preset: string;
  readonly trained: boolean;
  readonly licence: string | null;
  readonly sha256: string;
  readonly architecture: Architecture;
  readonly parameters: number;
  readonly embeddingSize: number;
  readonly windowSize: number;
  /** Multiply-accumulate operations for one crop's embedding, and for the scores of a whole window. */
  readonly macs: { readonly crop: number; readonly window: number };
  readonly thresholds: Readonly<Record<AuName, number>> | null;
  readonly smoothing: Manifest['smoothing'] | null;
  readonly reliability: Readonly<Record<AuName, number>> | null;
  readonly runsOn: EngineChoice;
  readonly tensors?: Readonly<Record<string, readonly number[]>>;
}

export function describeModel(
  { name, net, weights, manifest }: ModelSource,
  runsOn: EngineChoice,
  tensors: boolean,
): ModelDescription {
  const { parameters, count, frame, window } = parameterManifest(net);
  return {
    model: name,
    preset: manifest?.preset ?? name.split(',')[0]!,
    trained: manifest?.trained ?? false,
    licence: manifest?.licence ?? null,
    sha256: weights.sha256,
    architecture: net,
    parameters: count,
    embeddingSize: embeddingSize(net),
    windowSize: WINDOW_SIZE,
    macs: { crop: frame.macs, window: window.macs },
    thresholds: manifest?.thresholds ?? null,
    smoothing: manifest?.smoothing ?? null,
    reliability: manifest?.reliability ?? null,
    runsOn,
    ...(tensors ? { tensors: Object.fromEntries(parameters) } : {}),
  };
}

export function modelSummary(model: ModelDescription): string {
  const { architecture: net, macs, runsOn } = model;
  const members = [net.vivit && 'RegNet-ViT', net.nguyen && `Nguyen (${net.nguyen.outputMode})`].filter(
    Boolean,
  );
  const lines = [
    `model         ${model.model} (preset ${model.preset}, ${model.trained ? 'trained' : 'untrained: its scores mean nothing'})`,
    `licence       ${model.licence ?? 'not stated'}`,
    `sha256        ${model.sha256}`,
    `members       ${members.join(' + ')}${members.length > 1 ? `, ${net.sharedBackbone ? 'one shared backbone' : 'separate backbones'}` : ''}`,
    `parameters    ${(model.parameters / 1e6).toFixed(2)} M`,
    `embedding     ${model.embeddingSize} numbers a crop, windows of ${model.windowSize}`,
    `cost          ${(macs.crop / 1e6).toFixed(0)} M multiply-accumulates a crop, ${(macs.window / 1e9).toFixed(2)} G a window`,
    `runs on       ${runsOn.engine} ${runsOn.device} ${runsOn.precision}: ${runsOn.why}`,
  ];
  const { thresholds, smoothing, reliability, tensors } = model;
  if (thresholds) lines.push(`thresholds    ${perAu(thresholds)}`);
  if (smoothing)
    lines.push(`smoothing     σ ${smoothing.causal} frames causal, ${smoothing.centered} centered`);
  if (reliability) lines.push(`reliability   ${perAu(reliability)}`);
  if (tensors) lines.push(...Object.entries(tensors).map(([name, shape]) => `${name} [${shape.join(', ')}]`));
  return lines.join('\n');
}

function perAu(values: Readonly<Record<AuName, number>>): string {
  return AU_NAMES.map((name) => `${name} ${values[name]}`).join(', ');
}
