import type { CameraOptions } from '../../camera/options.ts';

const NVDEC = ['nvh264dec', 'nvh264sldec', 'nvh265dec', 'nvh265sldec', 'nvjpegdec'];
const VAAPI = [
  'vah264dec',
  'vah265dec',
  'vajpegdec',
  'vaapih264dec',
  'vaapih265dec',
  'vaapijpegdec',
  'vaapidecodebin',
];
const OTHER_HARDWARE = ['v4l2h264dec', 'v4l2slh264dec', 'v4l2h265dec', 'v4l2slh265dec'];
/** GST_RANK_PRIMARY is 256: above it decodebin tries an element before every software decoder. */
const FIRST = 320;
const SECOND = 300;

/**
 * The value of GST_PLUGIN_FEATURE_RANK that makes decodebin choose as the option says. Elements that this host
 * lacks do not register, and one that cannot open its device is passed over for the next: that is the probing.
 */
export function decoderRanks(decoder: CameraOptions['decoder']): string {
  const rank = (names: readonly string[], value: number | 'NONE') => names.map((name) => `${name}:${value}`);
  const ranks = {
    auto: [...rank(NVDEC, FIRST), ...rank(VAAPI, SECOND)],
    nvdec: [...rank(NVDEC, FIRST), ...rank([...VAAPI, ...OTHER_HARDWARE], 'NONE')],
    vaapi: [...rank(VAAPI, FIRST), ...rank([...NVDEC, ...OTHER_HARDWARE], 'NONE')],
    software: rank([...NVDEC, ...VAAPI, ...OTHER_HARDWARE], 'NONE'),
  };
  return ranks[decoder].join(',');
}
