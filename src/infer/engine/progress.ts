import type { Progress } from './model.ts';

/** One line on standard error, rewritten at every percent; undefined, so nothing, where that is no terminal. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress | undefined {
  if (!stream.isTTY) return undefined;
  let shown = '';
  return (what, done, of) => {
    const line = `${what} ${Math.floor((100 * done) / of)} %`;
    if (line === shown) return;
    shown = line;
    stream.write(`\r${line}${done >= of ? '\n' : ''}`);
  };
}
