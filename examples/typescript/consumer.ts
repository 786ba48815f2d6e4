// Prints the active Action Units of each face, activations and camera states. Run it in a project that has installed the
// package of examples/README.md:
//   node consumer.ts localhost:9092
import { consume } from 'austream/consumer';

const [brokers = 'localhost:9092'] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

for await (const event of consume({
  brokers: brokers.split(','),
  topics: ['au.frames', 'au.activations', 'au.cameras'],
  groupId: 'example',
  fromBeginning: true,
  dedupe: true,
  signal: stop.signal,
})) {
  // `record` discriminates the union of types: the compiler knows the fields of each case.
  switch (event.record) {
    case 'AuFrame': {
      const { cameraId, trackId, quality, aus } = event.value;
      const active = Object.entries(aus).flatMap(([name, state]) => (state?.active ? [name] : []));
      console.log(`${cameraId}/${trackId}`, quality.unreliable ?? active.join(' '));
      break;
    }
    case 'AuActivation':
      if (event.value.phase === 'OFFSET')
        console.log(
          `${event.key} ${event.value.au}: ${event.value.duration / 1e6} s, peak ${event.value.peak}`,
        );
      break;
    case 'CameraStatus':
      console.log(`${event.value.cameraId} is ${event.value.state}`);
      break;
  }
}
