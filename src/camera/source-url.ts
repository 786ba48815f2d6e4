/** Schemes of the URLs that a camera can have; `src/ingest/child/source.ts` opens each of them. */
export const SOURCE_SCHEMES = ['rtsp', 'rtsps', 'onvif', 'file', 'v4l2'] as const;

/** True for a URL with one of the supported schemes, in lower case. */
export function hasSourceScheme(url: string): boolean {
  return SOURCE_SCHEMES.some((scheme) => url.startsWith(`${scheme}://`));
}

/** True for RTSP, with or without TLS. */
export function isRtsp(url: string): boolean {
  return /^rtsps?:/i.test(url);
}

/** True for RTSP over TLS (rtsps://). */
export function isTls(url: string): boolean {
  return /^rtsps:/i.test(url);
}

/** True for sources that deliver frames in real time, without backpressure; false for files, which wait for their reader. */
export function isLiveSource(url: string): boolean {
  return !url.startsWith('file:');
}
