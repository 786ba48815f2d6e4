/** True for RTSP over TLS (rtsps://). */
export function isTls(url: string): boolean {
  return /^rtsps:/i.test(url);
}

/** True for sources that deliver frames in real time, without backpressure; false for files, which wait for their reader. */
export function isLiveSource(url: string): boolean {
  return !url.startsWith('file:');
}
