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
/** Above GST_RANK_PRIMARY (256) decodebin tries an element before every software decoder. */
const PREFERRED_RANK = 320;
const SECOND_RANK = 300;

/**
 * GST_PLUGIN_FEATURE_RANK for a camera's `decoder` option. decodebin skips elements that are not installed or cannot
 * open their device, so `auto` probes the hardware.
 */
export function decoderRanks(decoder: CameraOptions['decoder']): string {
  const rank = (names: readonly string[], value: number | 'NONE') => names.map((name) => `${name}:${value}`);
  const ranks = {
    auto: [...rank(NVDEC, PREFERRED_RANK), ...rank(VAAPI, SECOND_RANK)],
    nvdec: [...rank(NVDEC, PREFERRED_RANK), ...rank([...VAAPI, ...OTHER_HARDWARE], 'NONE')],
    vaapi: [...rank(VAAPI, PREFERRED_RANK), ...rank([...NVDEC, ...OTHER_HARDWARE], 'NONE')],
    software: rank([...NVDEC, ...VAAPI, ...OTHER_HARDWARE], 'NONE'),
  };
  return ranks[decoder].join(',');
}
