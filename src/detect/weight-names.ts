/** The models of @vladmandic/human that austream uses. */
export type PackagedModel = 'blazeface' | 'facemesh';

export interface SourceName {
  readonly name: string;
  /** One minus the stored value is meant. */
  readonly complement?: boolean;
}

/** For each packaged model: the name of a parameter in our description → where the package keeps it. */
export const PACKAGED_NAMES: Readonly<Record<PackagedModel, ReadonlyMap<string, SourceName>>> = {
  blazeface: blazefaceNames(),
  facemesh: facemeshNames(),
};

/** The converter numbered the constants along the graph; each depthwise convolution took a number more. */
function blazefaceNames(): Map<string, SourceName> {
  const names = new Map<string, SourceName>([
    ['stem.weight', { name: 'unknown' }],
    ['stem.bias', { name: 'unknown_0' }],
  ]);
  const dense = (ours: string, number: number) => {
    names.set(`${ours}.weight`, { name: `unknown_${number}` });
    names.set(`${ours}.bias`, { name: `unknown_${number + 1}` });
  };
  for (let block = 0; block <= 31; block++) {
    const ours = block === 31 ? 'coarse' : `block${block}`;
    names.set(`${ours}.spatial.weight`, { name: `unknown_${4 * block + 1}` });
    dense(`${ours}.pointwise`, 4 * block + 3);
  }
  dense('boxes1', 129);
  dense('boxes0', 131);
  dense('scores1', 133);
  dense('scores0', 135);
  return names;
}

/** Layers are numbered per kind in the order in which Keras made them: trunk, mesh, (contours,) presence. */
function facemeshNames(): Map<string, SourceName> {
  const names = new Map<string, SourceName>();
  const keras = (name: string) => `StatefulPartitionedCall/model_1/${name}`;
  const dense = (ours: string, number: number) => {
    names.set(`${ours}.weight`, { name: keras(`conv2d_${number}/Conv2D_weights`) });
    names.set(`${ours}.bias`, { name: keras(`conv2d_${number}/Conv2D_bn_offset`) });
  };
  const prelu = (ours: string, number: number) => {
    const name = keras(`p_re_lu_${number}/Neg`);
    names.set(`${ours}.slope.weight`, { name });
    names.set(`${ours}.rise.weight`, { name, complement: true });
  };
  const block = (ours: string, spatial: number, pointwise: number, slope: number) => {
    names.set(`${ours}.spatial.weight`, {
      name: keras(`depthwise_conv2d_${spatial}/depthwise/ReadVariableOp`),
    });
    dense(`${ours}.pointwise`, pointwise);
    prelu(ours, slope);
  };
  const head = (ours: string, narrow: number, slope: number, spatial: number, out: number) => {
    dense(`${ours}.narrow`, narrow);
    prelu(`${ours}.narrow`, slope);
    block(`${ours}.block`, spatial, narrow + 1, slope + 1);
    names.set(`${ours}.out.weight`, { name: keras(`conv2d_${out}/Conv2D/ReadVariableOp`) });
    names.set(`${ours}.out.bias`, { name: keras(`conv2d_${out}/BiasAdd/ReadVariableOp`) });
  };
  dense('stem', 1);
  prelu('stem', 1);
  for (let i = 0; i < 14; i++) block(`trunk${i}`, i + 1, i + 2, i + 2);
  for (let i = 0; i < 3; i++) block(`mesh${i}`, i + 15, i + 16, i + 16);
  head('mesh', 19, 19, 18, 21);
  block('presence0', 23, 28, 26);
  head('presence', 29, 27, 24, 31);
  return names;
}
