/** A process that runs until a signal ends it: `node endless-process.ts <true if its drain hangs>`. */
import { runProcess } from '../../src/app/lifecycle.ts';

const hang = process.argv[2] === 'true';
// Keeps the process alive, as cameras and connections do.
const keepAlive = setInterval(() => {}, 1_000);

const { endReason } = await runProcess({
  http: { host: '127.0.0.1', port: null },
  delivery: { readySeconds: 30 },
  open: async () => ({
    done: new Promise(() => {}),
    missing: () => [],
    stats: () => ({ publisher: { connected: true, pending: 0, topics: [] } }),
  }),
  ready: () => void setImmediate(() => console.log('ready')),
  stop: () => {
    console.log('stopping');
    return hang ? new Promise(() => {}) : Promise.resolve();
  },
});
console.log(endReason);
clearInterval(keepAlive);
