/** True for RTSP over TLS (rtsps://). */
export function isTls(url: string): boolean {
  return /^rtsps:/i.test(url);
}

/** True for sources that deliver frames in real time, whoever reads them; files have backpressure. */
export function isLiveSource(url: string): boolean {
  return !url.startsWith('file:');
}
