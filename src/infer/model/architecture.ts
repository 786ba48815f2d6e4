import { z } from 'zod';

const positive = z.number().int().min(1).max(65_536);
/** Layers of one kind, or blocks of one stage: the deepest networks of the paper and of RegNet have fewer. */
const layers = z.number().int().min(1).max(128);

const vivit = z.strictObject({
  /** Hidden dimension (width) of the spatial and the temporal encoder. */
  dim: positive,
  heads: positive,
  /** Hidden width of the feed-forward layers. */
  mlp: positive,
  spatialLayers: layers,
  temporalLayers: layers,
});

const nguyen = z.strictObject({
  heads: positive,
  mlp: positive,
  encoderLayers: layers,
  decoderLayers: layers,
  /** The logits that are the member's output: all three branches fused, or the first branch only. */
  outputMode: z.enum(['fused', 'branch1']).default('fused'),
});

/**
 * Hyperparameters of a model: `architecture` in model.json. The backbone is a RegNetY (Radosavovic et al. 2020,
 * "Designing Network Design Spaces") and uses its terms.
 */
export const architectureSchema = z
  .strictObject({
    /** Channels of the 3×3 stride-2 stem. */
    stem: positive,
    /** Blocks of each stage. */
    depths: z.array(layers).min(1).max(8),
    /** Channels of each stage. */
    widths: z.array(positive).min(1).max(8),
    /** Channels per group of the grouped 3×3 convolutions. */
    groupWidth: positive,
    vivit: vivit.optional(),
    nguyen: nguyen.optional(),
    /** True: both members share one backbone, which runs once per crop. False: one backbone each. */
    sharedBackbone: z.boolean().default(true),
  })
  .superRefine((net, context) => {
    const addIssue = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const width = net.widths.at(-1) ?? 0;
    if (net.depths.length !== net.widths.length)
      addIssue(['widths'], `must have the same number of stages as depths (${net.depths.length})`);
    for (const [stage, w] of net.widths.entries())
      if (w % net.groupWidth !== 0)
        addIssue(['widths', stage], `must be a multiple of groupWidth (${net.groupWidth})`);
    if (!net.vivit && !net.nguyen) addIssue([], 'needs vivit, nguyen or both');
    if (net.vivit && net.vivit.dim % net.vivit.heads !== 0)
      addIssue(['vivit', 'heads'], `must divide dim (${net.vivit.dim})`);
    if (net.nguyen && width % net.nguyen.heads !== 0)
      addIssue(['nguyen', 'heads'], `must divide the backbone's last width (${width})`);
  });

/** The parsed `architecture`, with defaults. */
export type Architecture = z.output<typeof architectureSchema>;
export type VivitOptions = z.output<typeof vivit>;
export type NguyenOptions = z.output<typeof nguyen>;
export type RegNetOptions = Pick<Architecture, 'stem' | 'depths' | 'widths' | 'groupWidth'>;

/** Frames of one window, in both members (Vu et al. 2023, section 4.2). */
export const WINDOW_SIZE = 256;

const regnety400mf = { stem: 32, depths: [1, 3, 6, 6], widths: [48, 104, 208, 440], groupWidth: 8 };
/** Nguyen et al. 2022: 2 encoder and 2 decoder layers, 10 heads, feed-forward width 512. */
const nguyen2022 = { heads: 10, mlp: 512, encoderLayers: 2, decoderLayers: 2 };

/** Named architectures. model.json may define any other as preset `custom`. */
export const PRESETS = {
  /** Vu et al. 2023: "hidden dimension 1024" read as the width; the first 4 of ViViT-B's 12 spatial layers removed. */
  paper: {
    ...regnety400mf,
    vivit: { dim: 1024, heads: 8, mlp: 4096, spatialLayers: 8, temporalLayers: 4 },
    nguyen: nguyen2022,
    sharedBackbone: false,
  },
  /** "Hidden dimension 1024" read as the feed-forward width, as in the same group's earlier code. */
  'paper-compact': {
    ...regnety400mf,
    vivit: { dim: 440, heads: 8, mlp: 1024, spatialLayers: 8, temporalLayers: 4 },
    nguyen: nguyen2022,
    sharedBackbone: false,
  },
  /** Architecture of the default model (models/edge): real time on a CPU. */
  edge: {
    stem: 32,
    depths: [1, 2, 4, 3],
    widths: [32, 64, 160, 320],
    groupWidth: 16,
    vivit: { dim: 128, heads: 4, mlp: 256, spatialLayers: 1, temporalLayers: 2 },
    nguyen: { heads: 10, mlp: 256, encoderLayers: 1, decoderLayers: 1 },
    sharedBackbone: true,
  },
} as const satisfies Record<string, z.input<typeof architectureSchema>>;
export type PresetName = keyof typeof PRESETS;

/** The preset of this name, with defaults. */
export function preset(name: PresetName): Architecture {
  return architectureSchema.parse(PRESETS[name]);
}

/** D, the length of a crop's embedding: the members' parts concatenated (ViViT, then Nguyen). */
export function embeddingSize(net: Architecture): number {
  return (net.vivit?.dim ?? 0) + (net.nguyen ? (net.widths.at(-1) as number) : 0);
}
