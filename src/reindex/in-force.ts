/**
 * Which embedder to work with. The index says whose vectors are searched; the settings say which embedder is wanted.
 * They differ from a change of settings until a reindex is done, and until then the index is right.
 */
import { SluiceError } from "../errors.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { EmbedderRegister, RegisteredEmbedders } from "../ports/embedder-register.ts";
import type { VectorIndex } from "../ports/vector-index.ts";

export interface EmbedderParts {
  documents: { embedders: Pick<EmbedderRegister, "read"> };
  index: VectorIndex;
  /** The one that the settings name. */
  embedder: Embedder;
  /** Makes another by its id; undefined where this process can't. */
  openEmbedder?: (embedder_id: string) => Promise<Embedder | undefined>;
}

export interface InForce {
  registered: RegisteredEmbedders;
  embedder: Embedder;
  /** The index by this embedder's vectors. */
  index: VectorIndex;
}

/** An embedder, and the index by its vectors. @returns undefined where this process can't make it */
export async function openUnder(
  { embedder, openEmbedder, index }: EmbedderParts,
  embedder_id: string,
): Promise<Omit<InForce, "registered"> | undefined> {
  const own = embedder_id === embedder.embedder_id ? embedder : await openEmbedder?.(embedder_id);
  if (!own) return undefined;
  if (index.embedder_id === embedder_id) return { embedder: own, index };
  try {
    return { embedder: own, index: await index.under(own) };
  } catch (error) {
    // An index that holds vectors of one length only, and not of this one's.
    if (error instanceof SluiceError && error.code === "embedder_mismatch") return undefined;
    throw error;
  }
}

/** For queries: the one that serves. @throws SluiceError embedder_mismatch where this process can't make it */
export async function embedderForQueries(parts: EmbedderParts): Promise<InForce> {
  const registered = await parts.documents.embedders.read();
  const wanted = parts.embedder.embedder_id;
  const opened = await openUnder(parts, registered.serving ?? wanted);
  if (!opened) throw mismatch(registered, wanted);
  return { registered, ...opened };
}

/**
 * For documents: the one that serves, so that they are found at once. Where that one can't be made here, searches by
 * meaning are refused anyway; then the next one, so that a reindex finds its work done.
 */
export async function embedderForDocuments(parts: EmbedderParts): Promise<InForce> {
  const registered = await parts.documents.embedders.read();
  const { serving, target } = registered;
  const configured = parts.embedder.embedder_id;
  for (const embedder_id of [serving ?? configured, target ?? configured, configured]) {
    const opened = await openUnder(parts, embedder_id);
    if (opened) return { registered, ...opened };
  }
  throw new Error(`the configured embedder ${configured} can't be opened`);
}

function mismatch({ serving, target }: RegisteredEmbedders, configured: string): SluiceError {
  const until = target === null ? "" : ` until the reindex under ${target} is complete`;
  return new SluiceError(
    "embedder_mismatch",
    `The index was made with the embedder ${serving}, which the settings here (${configured}) don't give: searches by meaning wait${until}, searches by words go on ("mode": "keyword").`,
  );
}
