import type { I420Image } from '../domain/frame.ts';
import { emitGraph } from '../infer/engine/onnx/emit-graph.ts';
import { OnnxSession } from '../infer/engine/onnx/session.ts';
import { BATCH } from '../infer/model/ops.ts';
import { type RotatedSquare, squareToFrame } from './geometry.ts';
import { faceMesh, MESH_POINTS, MESH_SIZE } from './nets/facemesh.ts';
import { Sampler } from './sampler.ts';
import { faceParameters } from './weights.ts';

/** The face mesh fitted to one square. */
export interface Mesh {
  /** Probability that the square shows a face, 0…1. */
  readonly presence: number;
  /** (468, 3) landmarks: x and y in frame coordinates; z, the depth, in frame pixels, growing away from the camera. */
  readonly points: Float32Array;
}

/** Runs MediaPipe's face mesh on squares of I420 frames. One call at a time. */
export class FaceMesh {
  readonly #session: OnnxSession;
  readonly #sampler = new Sampler();

  private constructor(session: OnnxSession) {
    this.#session = session;
  }

  /** Rejects with AustreamError PREREQUISITE_MISSING when the network's weights are not installed. */
  static async open(): Promise<FaceMesh> {
    const graph = emitGraph(
      {
        name: 'facemesh',
        inputs: { pixels: { element: 'uint8', shape: [BATCH, MESH_SIZE, MESH_SIZE, 3] } },
        parameters: faceParameters('facemesh'),
      },
      (ops, { pixels }) => ({ ...faceMesh(ops, pixels) }),
    );
    return new FaceMesh(await OnnxSession.open(graph, { threads: 1 }));
  }

  /** Fits one mesh per square, in one batch. A face should fill about two thirds of its square. */
  async fit(image: I420Image, squares: readonly RotatedSquare[]): Promise<Mesh[]> {
    if (squares.length === 0) return [];
    const inputBytes = MESH_SIZE * MESH_SIZE * 3;
    const data = new Uint8Array(squares.length * inputBytes);
    squares.forEach((square, i) => {
      this.#sampler.sample(
        image,
        squareToFrame(MESH_SIZE, square),
        MESH_SIZE,
        MESH_SIZE,
        data,
        i * inputBytes,
      );
    });
    const shape = [squares.length, MESH_SIZE, MESH_SIZE, 3];
    const { landmarks, presence } = await this.#session.run({ pixels: { data, shape } });
    return squares.map((square, i) => ({
      presence: presence!.data[i] as number,
      points: landmarksToFrame(landmarks!.data, i * MESH_POINTS * 3, square),
    }));
  }
}

/** Landmarks of one square, (468, 3) from `offset` on, from network input to frame coordinates. */
function landmarksToFrame(landmarks: Float32Array, offset: number, square: RotatedSquare): Float32Array {
  const { a, b, tx, ty } = squareToFrame(MESH_SIZE, square);
  const scale = square.side / MESH_SIZE;
  const points = new Float32Array(MESH_POINTS * 3);
  for (let i = 0; i < points.length; i += 3) {
    const x = landmarks[offset + i]!;
    const y = landmarks[offset + i + 1]!;
    points[i] = a * x - b * y + tx;
    points[i + 1] = b * x + a * y + ty;
    points[i + 2] = landmarks[offset + i + 2]! * scale;
  }
  return points;
}
