import type { Progress } from './model.ts';

/** A progress line on standard error, updated at every percent; undefined if `stream` is not a terminal. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress | undefined {
  if (!stream.isTTY) return undefined;
  let shown = '';
  return (task, done, total) => {
    const line = `${task} ${Math.floor((100 * done) / total)} %`;
    if (line === shown) return;
    shown = line;
    stream.write(`\r${line}${done >= total ? '\n' : ''}`);
  };
}
