// Prints who shows which Action Units. In a project of its own, with the package that examples/README.md names:
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
  // The record's name tells the types apart; the compiler knows every field.
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
