import { Simulator } from '../../src/simulate/simulator.ts';

// A parent process of a simulator; the test kills it.
const simulator = await Simulator.start({ sources: [process.argv[2]!] });
process.send!(simulator.pid);
