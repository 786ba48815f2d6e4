// biome-ignore-all lint/suspicious/noControlCharactersInRegex: signatures of binary files
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Names that frameworks give to files with weights. */
const EXTENSIONS =
  /\.(safetensors|onnx|ort|bin|tflite|task|pb|pbtxt|pt|pth|ckpt|h5|hdf5|keras|npz|npy|gguf|ggml|mlmodel|mlpackage|pkl|pickle|joblib|params|caffemodel|weights|model|msgpack|engine|plan)$/i;

/** What a file with weights begins with, whatever its name is. */
const SIGNATURES: readonly (readonly [string, RegExp])[] = [
  // 8 bytes of length below 4 GiB, then a JSON object (safetensors' format).
  ['safetensors', /^[\s\S]{4}\0\0\0\0\{"/],
  ['TensorFlow Lite', /^[\s\S]{4}TFL3/],
  ['ONNX Runtime', /^[\s\S]{4}ORTM/],
  ['HDF5', /^\x89HDF\r\n/],
  ['GGUF', /^GGUF/],
  ['NumPy', /^\x93NUMPY/],
  ['pickle', /^\x80[\x02-\x05]/],
  // ir_version, then another field of onnx.ModelProto.
  ['ONNX', /^\x08[\x01-\x20][\x12\x1a\x22\x28\x32\x3a\x42]/],
  ['TensorFlow.js', /^\s*\{[\s\S]*"(weightsManifest|modelTopology)"/],
];

/** Binary files that hold no weights, by what they begin with. */
const KNOWN_BINARY =
  /^(\x7fELF|MZ|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe|\0asm|!<arch>|\x89PNG|\xff\xd8\xff|GIF8|wOF[2F]|\0\x01\0\0|OTTO|\0\0\x01\0|[\s\S]{4}ftyp)/;

/** A source map inside a script: base64 of `{"version`. */
const SOURCE_MAP = /sourceMappingURL=data:application\/json;[^,\s]*,eyJ2ZXJzaW9u[A-Za-z0-9+/=]*/g;

const HEAD = 65_536;
/** Smaller files without a known name or signature hold no network of use. */
const LARGE = 16_384;

/** Why a file may hold a network's weights, or null. */
export function weightsReason(path: string): string | null {
  if (EXTENSIONS.test(path)) return `named ${EXTENSIONS.exec(path)![0]}`;
  const { size } = statSync(path);
  const head = readHead(path);
  if (KNOWN_BINARY.test(head)) return null;
  const signature = SIGNATURES.find(([, pattern]) => pattern.test(head));
  if (signature) return `${signature[0]} by its content`;
  if (size < LARGE) return null;
  if (head.includes('\0')) return 'binary of an unknown kind';
  const text = readFileSync(path, 'latin1').replace(SOURCE_MAP, '');
  if (text.split(/[^A-Za-z0-9+/]/).some((word) => word.length >= HEAD)) return 'a long base64 text';
  return null;
}

function readHead(path: string): string {
  const buffer = Buffer.alloc(HEAD);
  const file = openSync(path, 'r');
  try {
    return buffer.toString('latin1', 0, readSync(file, buffer, 0, HEAD, 0));
  } finally {
    closeSync(file);
  }
}

/** Files below a folder that may hold weights, as sorted "path: reason" lines; links are not followed. */
export function weightsFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((path) => {
      const reason = weightsReason(path);
      return reason === null ? [] : [`${path.slice(folder.length + 1)}: ${reason}`];
    })
    .sort();
}
