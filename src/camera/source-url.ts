export function isTls(url: string): boolean {
  return /^rtsps:/i.test(url);
}

/** True where frames come at their own time and cannot be waited for. */
export function isLive(url: string): boolean {
  return !url.startsWith('file:');
}
