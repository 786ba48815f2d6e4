import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

/**
 * ONNX Runtime reports to its maker by default. From 1.29 on its Linux binaries send hashes and statistics of the model to
 * mobile.events.data.microsoft.com and keep a device id in the user's cache folder (microsoft/onnxruntime#27379). This
 * variable is the switch; the library reads it once, when the first session opens. Therefore only this file loads the
 * library: test/imports.test.ts and test/security/product.test.ts check it.
 */
const OPT_OUT = 'ORT_DISABLE_TELEMETRY';

// In a worker thread process.env is a copy: the library does not see what is set there.
if (!isMainThread && process.env[OPT_OUT] !== '1')
  throw new Error(`set ${OPT_OUT}=1 for this process before it opens a model in a worker thread`);
process.env[OPT_OUT] = '1';

export const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node');
