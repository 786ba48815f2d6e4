import { runCameraChild } from '../src/ingest/child/child.ts';

// A camera child that decodes and hands on, but looks at nothing: what ingest costs without detection.
runCameraChild(async () => ({
  analyse: async ({ image: _image, corrupt: _corrupt, ...stamp }) => ({
    ...stamp,
    crops: [],
    endedTracks: [],
  }),
  end: () => [],
  close: async () => {},
}));
