import type { Architecture } from './architecture.ts';
import { nguyenWindow } from './nguyen.ts';
import type { Ops } from './ops.ts';
import { regnet } from './regnet.ts';
import { vivitFrame, vivitWindow } from './vivit.ts';

/** Per-channel mean and standard deviation of ImageNet (RGB, 0…1), which normalise the input of both members. */
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

/**
 * Frame encoder, runs once per crop: RGB bytes (n, 112, 112, 3) → embeddings (n, D). An embedding is the class token of
 * ViViT's spatial encoder, then the average-pooled backbone features for the Nguyen member.
 */
export function frameEncoder<T>(ops: Ops<T>, pixels: T, net: Architecture): T {
  const image = ops.image(
    pixels,
    STD.map((std) => 1 / (255 * std)),
    STD.map((std, channel) => -(MEAN[channel] as number) / std),
  );
  const backbone = (name: string) => ops.tokens(regnet(ops, image, name, net)); // n 16 c
  const shared = net.sharedBackbone || !net.vivit || !net.nguyen ? backbone('backbone') : undefined;
  const parts: T[] = [];
  if (net.vivit) parts.push(vivitFrame(ops, shared ?? backbone('vivit.backbone'), 'vivit', net.vivit));
  if (net.nguyen) parts.push(ops.mean(shared ?? backbone('nguyen.backbone'), 1));
  return parts.length === 1 ? (parts[0] as T) : ops.concat(parts, 1);
}

/**
 * Window encoder, runs once per hop: windows of embeddings (b, w, D) → scores (b, newest, 12) of the newest frames, the
 * mean of the members' sigmoid scores (Vu et al. 2023, section 3.3). Throws RangeError if `newest` is not 1 … w.
 */
export function windowEncoder<T>(ops: Ops<T>, windows: T, net: Architecture, newest: number): T {
  const [, window = 0, size = 0] = ops.shape(windows);
  if (newest < 1 || newest > window) throw new RangeError(`newest must be 1 … ${window}, not ${newest}`);
  const dim = net.vivit?.dim ?? 0;
  // b w (to - from): one member's part of the embeddings
  const memberPart = (from: number, to: number) =>
    to - from === size ? windows : ops.slice(windows, 2, from, to);
  const scores: T[] = [];
  if (net.vivit) scores.push(ops.sigmoid(vivitWindow(ops, memberPart(0, dim), 'vivit', net.vivit, newest)));
  if (net.nguyen)
    scores.push(ops.sigmoid(nguyenWindow(ops, memberPart(dim, size), 'nguyen', net.nguyen, newest)));
  if (scores.length === 1) return scores[0] as T;
  return ops.mul(ops.add(scores[0] as T, scores[1] as T), ops.constant([1 / scores.length], [1]));
}
