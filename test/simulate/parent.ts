import { Simulator } from '../../src/simulate/simulator.ts';

// To be killed.
const simulator = await Simulator.start({ sources: [process.argv[2]!] });
process.send!(simulator.pid);
