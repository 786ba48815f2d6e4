import type { Point } from '../domain/face.ts';
import type { I420Image } from '../domain/frame.ts';
import { emitGraph } from '../infer/engine/onnx/graph.ts';
import { OnnxSession } from '../infer/engine/onnx/session.ts';
import { BATCH } from '../infer/model/ops.ts';
import { squareToFrame } from './geometry.ts';
import { faceMesh, MESH_POINTS, MESH_SIZE } from './nets/facemesh.ts';
import { Sampler } from './sampler.ts';
import { packagedParameters } from './weights.ts';

/** A square of the frame, turned by `roll` radians (clockwise on the screen). */
export interface RotatedSquare {
  readonly centre: Point;
  readonly side: number;
  readonly roll: number;
}

/** The face mesh of one face. */
export interface Mesh {
  /** 0…1, whether there is a face at all. */
  readonly presence: number;
  /** 468 × (x, y, z): x and y in frame pixels; z in pixels too, in the square's own frame, towards the scene. */
  readonly points: Float32Array;
}

/** MediaPipe's face mesh on squares of I420 frames. One call at a time. */
export class FaceMesh {
  readonly #session: OnnxSession;
  readonly #sampler = new Sampler();

  private constructor(session: OnnxSession) {
    this.#session = session;
  }

  static async open(): Promise<FaceMesh> {
    const graph = emitGraph(
      {
        name: 'facemesh',
        inputs: { pixels: { element: 'uint8', shape: [BATCH, MESH_SIZE, MESH_SIZE, 3] } },
        parameters: packagedParameters('facemesh'),
      },
      (ops, { pixels }) => ({ ...faceMesh(ops, pixels) }),
    );
    return new FaceMesh(await OnnxSession.open(graph, { threads: 1 }));
  }

  /** One mesh for each square, whose face should fill about two thirds of it. */
  async fit(image: I420Image, squares: readonly RotatedSquare[]): Promise<Mesh[]> {
    if (squares.length === 0) return [];
    const each = MESH_SIZE * MESH_SIZE * 3;
    const data = new Uint8Array(squares.length * each);
    squares.forEach((square, i) => {
      this.#sampler.sample(image, squareToFrame(MESH_SIZE, square), MESH_SIZE, MESH_SIZE, data, i * each);
    });
    const shape = [squares.length, MESH_SIZE, MESH_SIZE, 3];
    const { landmarks, presence } = await this.#session.run({ pixels: { data, shape } });
    return squares.map((square, i) => ({
      presence: presence!.data[i] as number,
      points: toFrame(landmarks!.data, i * MESH_POINTS * 3, square),
    }));
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

function toFrame(values: Float32Array, from: number, square: RotatedSquare): Float32Array {
  const { a, b, tx, ty } = squareToFrame(MESH_SIZE, square);
  const depth = square.side / MESH_SIZE;
  const points = new Float32Array(MESH_POINTS * 3);
  for (let i = 0; i < points.length; i += 3) {
    const x = values[from + i]!;
    const y = values[from + i + 1]!;
    points[i] = a * x - b * y + tx;
    points[i + 1] = b * x + a * y + ty;
    points[i + 2] = values[from + i + 2]! * depth;
  }
  return points;
}
