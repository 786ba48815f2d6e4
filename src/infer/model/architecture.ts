import { z } from 'zod';

const positive = z.number().int().min(1).max(65_536);

const vivit = z.strictObject({
  /** Hidden dimension of both encoders. */
  dim: positive,
  heads: positive,
  /** Width of the feed-forward layers. */
  mlp: positive,
  spatialLayers: positive,
  temporalLayers: positive,
});

const nguyen = z.strictObject({
  heads: positive,
  mlp: positive,
  encoderLayers: positive,
  decoderLayers: positive,
  /** Which logits are the member's scores: the fusion of the three branches, or the first branch alone. */
  outputMode: z.enum(['fused', 'branch1']).default('fused'),
});

/**
 * Everything that decides which parameters a model has and how they are computed with: `architecture` of
 * model.json. The backbone is a RegNetY (Radosavovic et al. 2020) in its own terms.
 */
export const architectureSchema = z
  .strictObject({
    /** Channels of the 3×3 stride-2 stem. */
    stem: positive,
    /** Blocks of each stage. */
    depths: z.array(positive).min(1).max(8),
    /** Channels of each stage. */
    widths: z.array(positive).min(1).max(8),
    /** Channels of one group of the 3×3 convolutions. */
    groupWidth: positive,
    vivit: vivit.optional(),
    nguyen: nguyen.optional(),
    /** Both members read one backbone, which runs once a crop; otherwise each has its own. */
    sharedBackbone: z.boolean().default(true),
  })
  .superRefine((net, context) => {
    const mistake = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const width = net.widths.at(-1) ?? 0;
    if (net.depths.length !== net.widths.length)
      mistake(['widths'], `must have as many stages as depths (${net.depths.length})`);
    for (const [stage, w] of net.widths.entries())
      if (w % net.groupWidth !== 0)
        mistake(['widths', stage], `must be a multiple of groupWidth (${net.groupWidth})`);
    if (!net.vivit && !net.nguyen) mistake([], 'needs a member: vivit, nguyen or both');
    if (net.vivit && net.vivit.dim % net.vivit.heads !== 0)
      mistake(['vivit', 'heads'], `must divide dim (${net.vivit.dim})`);
    if (net.nguyen && width % net.nguyen.heads !== 0)
      mistake(['nguyen', 'heads'], `must divide the backbone's last width (${width})`);
  });

/** Read from model.json; defaults are filled in. */
export type Architecture = z.output<typeof architectureSchema>;
export type VivitOptions = z.output<typeof vivit>;
export type NguyenOptions = z.output<typeof nguyen>;
export type RegNetOptions = Pick<Architecture, 'stem' | 'depths' | 'widths' | 'groupWidth'>;

/** Crops of one window, in both members (paper, section 4.2). */
export const WINDOW_SIZE = 256;

const regnety400mf = { stem: 32, depths: [1, 3, 6, 6], widths: [48, 104, 208, 440], groupWidth: 8 };
/** Nguyen et al. 2022: 2+2 layers, 10 heads, feed-forward 512. */
const nguyen2022 = { heads: 10, mlp: 512, encoderLayers: 2, decoderLayers: 2 };

/** Known architectures by name. model.json may state any other under the name `custom`. */
export const PRESETS = {
  /** "Hidden dimension 1024", the first 4 of ViViT-B's 12 spatial layers removed. */
  paper: {
    ...regnety400mf,
    vivit: { dim: 1024, heads: 8, mlp: 4096, spatialLayers: 8, temporalLayers: 4 },
    nguyen: nguyen2022,
    sharedBackbone: false,
  },
  /** 1024 read as the feed-forward width, as in the same group's earlier code. */
  'paper-compact': {
    ...regnety400mf,
    vivit: { dim: 440, heads: 8, mlp: 1024, spatialLayers: 8, temporalLayers: 4 },
    nguyen: nguyen2022,
    sharedBackbone: false,
  },
  /** What the default weights use: real time on a CPU. */
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

/** A preset with its defaults filled in. */
export function preset(name: PresetName): Architecture {
  return architectureSchema.parse(PRESETS[name]);
}

/** Length of a crop's embedding: every member's part, one after the other. */
export function embeddingSize(net: Architecture): number {
  return (net.vivit?.dim ?? 0) + (net.nguyen ? (net.widths.at(-1) as number) : 0);
}
