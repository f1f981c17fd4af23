/** What `sluice doctor` asks of a Pinecone index: reach, key, dimensions, metric, and the calls that not every index has. */
import type { ServiceCheck } from "../../ports/service-check.ts";
import { createPineconeClient, type PineconeClientOptions, refusedWith } from "./client.ts";

export interface PineconeCheckOptions extends PineconeClientOptions {
  namespace_prefix?: string;
  embedder: { embedder_id: string; dimensions: number };
}

/** Reads only, but for a delete of an id that nobody has, which shows that the key may write. Stops where the rest can't work. */
export async function* checkPineconeIndex(
  options: PineconeCheckOptions,
): AsyncGenerator<ServiceCheck, void, void> {
  const { embedder, namespace_prefix = "" } = options;
  const client = createPineconeClient({ max_retries: 1, ...options });
  const namespace = `${namespace_prefix}sluice-check`;
  const passed = (name: string, message: string): ServiceCheck => ({ name, ok: true, message });
  const failed = (name: string, message: string, fix: string): ServiceCheck => {
    return { name, ok: false, message, fix };
  };
  try {
    const stats = await attempt(() => client.stats());
    if ("error" in stats) {
      yield failed("pinecone", stats.message, fixFor(stats.error));
      return;
    }
    const { dimension, metric, vectorType, totalVectorCount } = stats.value;
    yield passed("pinecone", `reached, with ${totalVectorCount ?? "an unknown number of"} vectors in it`);

    const recreate =
      "Create an index for the embedder's dimensions with metric cosine and set SLUICE_PINECONE_HOST.";
    if (vectorType !== undefined && vectorType !== "dense") {
      yield failed("pinecone", `the index is for ${vectorType} vectors`, recreate);
    } else if (dimension === embedder.dimensions) {
      yield passed("pinecone", `${dimension} dimensions, as ${embedder.embedder_id} makes them`);
    } else {
      const message = `the index has ${dimension ?? "no"} dimensions, ${embedder.embedder_id} makes ${embedder.dimensions}`;
      yield failed("pinecone", message, recreate);
    }
    if (metric === undefined) {
      yield passed("pinecone", "it doesn't tell its metric; see that it is cosine");
    } else if (metric === "cosine") {
      yield passed("pinecone", "compares by cosine");
    } else {
      yield failed("pinecone", `the index compares by ${metric}, scores would not be cosine`, recreate);
    }

    const listed = await attempt(async () => {
      for await (const _ of client.list(namespace, "sluice-check#")) break;
    });
    if ("error" in listed) {
      const fix =
        "Use a serverless index: old versions are found by listing ids, which pod-based ones can't.";
      yield failed("pinecone", listed.message, needsKey(listed.error) ? fixFor(listed.error) : fix);
    } else {
      yield passed("pinecone", "ids can be listed");
    }
    const written = await attempt(() => client.delete(namespace, ["sluice-check#1#0"]));
    if ("error" in written) yield failed("pinecone", written.message, fixFor(written.error));
    else yield passed("pinecone", "the key may write");
  } finally {
    client.close();
  }
}

/** What came of a call: its result, or the error, to be told as a finding. */
async function attempt<T>(
  act: () => Promise<T>,
): Promise<{ value: T } | { error: unknown; message: string }> {
  try {
    return { value: await act() };
  } catch (error) {
    return { error, message: error instanceof Error ? error.message : String(error) };
  }
}

function needsKey(error: unknown): boolean {
  return [401, 403].includes(refusedWith(error) ?? 0);
}

function fixFor(error: unknown): string {
  switch (refusedWith(error)) {
    case 401:
      return "Set SLUICE_PINECONE_API_KEY to a key of the index's project.";
    case 403:
      return "Give the key the role DataPlaneEditor, and see that the project's quota is not used up.";
    case 402:
      return "Settle the account's payment in Pinecone's console.";
    case 404:
      return "Set SLUICE_PINECONE_HOST to the host that the console shows for the index.";
    default:
      return "Check SLUICE_PINECONE_HOST, the network between here and there, and Pinecone's status page.";
  }
}
