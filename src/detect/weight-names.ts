/** The networks in `models/face`. */
export type FaceNetwork = 'blazeface' | 'facemesh';

/** Where the file stores a parameter. */
interface SourceName {
  readonly name: string;
  /** The parameter is 1 − the stored value. */
  readonly complement?: boolean;
}

/** Per model: parameter name in `nets/` → name in the file. */
export const STORED_NAMES: Readonly<Record<FaceNetwork, ReadonlyMap<string, SourceName>>> = {
  blazeface: blazefaceNames(),
  facemesh: facemeshNames(),
};

/** The converter numbered constants in graph order; a depthwise convolution took one extra number. */
function blazefaceNames(): Map<string, SourceName> {
  const names = new Map<string, SourceName>([
    ['stem.weight', { name: 'unknown' }],
    ['stem.bias', { name: 'unknown_0' }],
  ]);
  const conv = (layer: string, number: number) => {
    names.set(`${layer}.weight`, { name: `unknown_${number}` });
    names.set(`${layer}.bias`, { name: `unknown_${number + 1}` });
  };
  for (let block = 0; block <= 31; block++) {
    const layer = block === 31 ? 'coarse' : `block${block}`;
    names.set(`${layer}.depthwise.weight`, { name: `unknown_${4 * block + 1}` });
    conv(`${layer}.pointwise`, 4 * block + 3);
  }
  conv('boxes1', 129);
  conv('boxes0', 131);
  conv('scores1', 133);
  conv('scores0', 135);
  return names;
}

/** Keras numbered layers per kind in order of creation: trunk, mesh, contours (unused here), presence. */
function facemeshNames(): Map<string, SourceName> {
  const names = new Map<string, SourceName>();
  const keras = (name: string) => `StatefulPartitionedCall/model_1/${name}`;
  const conv = (layer: string, number: number) => {
    names.set(`${layer}.weight`, { name: keras(`conv2d_${number}/Conv2D_weights`) });
    names.set(`${layer}.bias`, { name: keras(`conv2d_${number}/Conv2D_bn_offset`) });
  };
  const prelu = (layer: string, number: number) => {
    const name = keras(`p_re_lu_${number}/Neg`);
    names.set(`${layer}.slope.weight`, { name });
    names.set(`${layer}.complement.weight`, { name, complement: true });
  };
  const block = (layer: string, depthwise: number, pointwise: number, slope: number) => {
    names.set(`${layer}.depthwise.weight`, {
      name: keras(`depthwise_conv2d_${depthwise}/depthwise/ReadVariableOp`),
    });
    conv(`${layer}.pointwise`, pointwise);
    prelu(layer, slope);
  };
  const head = (layer: string, reduce: number, slope: number, depthwise: number, out: number) => {
    conv(`${layer}.reduce`, reduce);
    prelu(`${layer}.reduce`, slope);
    block(`${layer}.block`, depthwise, reduce + 1, slope + 1);
    names.set(`${layer}.out.weight`, { name: keras(`conv2d_${out}/Conv2D/ReadVariableOp`) });
    names.set(`${layer}.out.bias`, { name: keras(`conv2d_${out}/BiasAdd/ReadVariableOp`) });
  };
  conv('stem', 1);
  prelu('stem', 1);
  for (let i = 0; i < 14; i++) block(`trunk${i}`, i + 1, i + 2, i + 2);
  for (let i = 0; i < 3; i++) block(`mesh${i}`, i + 15, i + 16, i + 16);
  head('mesh', 19, 19, 18, 21);
  block('presence0', 23, 28, 26);
  head('presence', 29, 27, 24, 31);
  return names;
}
