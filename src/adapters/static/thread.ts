/** The thread that embeds: it holds the model, so that the work delays nothing else in the process. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { EmbedReply, EmbedTask } from "./embedder.ts";
import { createEncoder, type Encode } from "./encode.ts";
import { readStaticModel } from "./model.ts";

const port = parentPort as MessagePort;
const model = await readStaticModel((workerData as { folder: string }).folder);
const encode = createEncoder(model);

port.on("message", (task: EmbedTask) => {
  const vectors = embedAll(task, encode, model.dimensions);
  const reply: EmbedReply = { id: task.id, vectors };
  port.postMessage(reply, [vectors.buffer as ArrayBuffer]);
});

/** Row after row, one for each text. Whoever set `stop` waits for none of them any more. */
function embedAll({ texts, stop }: EmbedTask, into: Encode, dimensions: number): Float32Array {
  const vectors = new Float32Array(texts.length * dimensions);
  for (const [place, text] of texts.entries()) {
    if (stop && Atomics.load(stop, 0) === 1) break;
    into(text, vectors.subarray(place * dimensions, (place + 1) * dimensions));
  }
  return vectors;
}
