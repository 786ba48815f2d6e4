import { runCameraChild } from '../src/ingest/child/child.ts';

// A camera process that decodes and sends frames without faces: the cost of ingest without detection.
runCameraChild(async () => ({
  analyse: async ({ image: _image, corrupt: _corrupt, ...stamp }) => ({
    ...stamp,
    crops: [],
    endedTracks: [],
  }),
  end: () => [],
}));
