import { SluiceError } from "../../errors.ts";
import type { Reranker } from "../../ports/reranker.ts";
import { endpointOf, reasonOf } from "../http-service.ts";

export interface HttpRerankerOptions {
  /**
   * `http`: `{model, query, documents, top_n}` → `{results: [{index, relevance_score}]}`, which Cohere
   * (https://docs.cohere.com/reference/rerank), Jina, vLLM and others speak. `tei`: `{query, texts}` →
   * `[{index, score}]`, of Text Embeddings Inference (https://huggingface.github.io/text-embeddings-inference).
   */
  kind: "http" | "tei";
  /** `/rerank` is put after it: `https://api.cohere.com/v2`, `http://localhost:8000/v1`. */
  url: string;
  model?: string | undefined;
  /** Sent as `Authorization: Bearer …`; appears in no message. */
  api_key?: string | undefined;
  /** Passages in one request. Default 32, the most that Text Embeddings Inference takes unless told otherwise. */
  batch_size?: number;
  /** Default the built-in `fetch`. */
  fetch?: typeof globalThis.fetch;
}

const CHECK_TIMEOUT_MS = 10_000;

/**
 * A reranker behind `POST {url}/rerank`. Nothing is tried twice: a search waits for it.
 *
 * @throws TypeError when the options make no sense; nothing is sent before the first `rerank` or `check`
 */
export function createHttpReranker(options: HttpRerankerOptions): Reranker {
  const { kind, model, api_key, batch_size = 32 } = options;
  const send = options.fetch ?? globalThis.fetch;
  const endpoint = endpointOf(options.url, "rerank");
  const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
  if (api_key !== undefined) headers.authorization = `Bearer ${api_key}`;
  // A query string may carry a secret, so messages name the address without it.
  const service = `The reranker at ${endpoint.origin}${endpoint.pathname}`;

  async function ask(query: string, passages: string[], signal: AbortSignal | undefined): Promise<number[]> {
    const body =
      kind === "tei"
        ? { query, texts: passages, truncate: true }
        : { ...(model === undefined ? {} : { model }), query, documents: passages, top_n: passages.length };
    let status: number;
    let text: string;
    try {
      // Not followed: a redirected POST may lose its body, and the key would travel to another place.
      const response = await send(endpoint, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        redirect: "manual",
        ...(signal ? { signal } : {}),
      });
      status = response.status;
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      throw new SluiceError("reranker_unavailable", `${service} gave no answer: ${reasonOf(cause)}`, {
        cause,
      });
    }
    if (status < 200 || status > 299) {
      const said = text.replaceAll(/\s+/g, " ").trim().slice(0, 300);
      const shown = api_key ? said.replaceAll(api_key, "[api key]") : said;
      const passing = [408, 409, 425, 429].includes(status) || status >= 500;
      throw new SluiceError(
        passing ? "reranker_unavailable" : "reranker_rejected",
        `${service} answered ${status}${shown === "" ? "" : `: ${shown}`}`,
      );
    }
    const scores = parseScores(text, passages.length);
    if (typeof scores === "string") throw new SluiceError("reranker_unavailable", `${service} ${scores}`);
    return scores;
  }

  async function rerank(query: string, passages: string[], signal?: AbortSignal): Promise<number[]> {
    signal?.throwIfAborted();
    const batches: Promise<number[]>[] = [];
    // Services refuse empty texts; a blank one is as far from any query.
    const texts = passages.map((passage) => (passage.trim() === "" ? "-" : passage));
    for (let from = 0; from < texts.length; from += batch_size) {
      batches.push(ask(query, texts.slice(from, from + batch_size), signal));
    }
    return (await Promise.all(batches)).flat();
  }

  return {
    reranker_id: model === undefined ? kind : `${kind}:${model}`,
    rerank,
    async check() {
      await rerank("harbour", ["A harbour shelters ships."], AbortSignal.timeout(CHECK_TIMEOUT_MS)).catch(
        (error: unknown) => {
          if ((error as { name?: string }).name !== "TimeoutError") throw error;
          throw new SluiceError(
            "reranker_unavailable",
            `${service} did not answer within ${CHECK_TIMEOUT_MS} ms`,
          );
        },
      );
    },
    close: async () => {},
  };
}

/**
 * The scores of a successful answer, in the order of the passages.
 *
 * @returns the scores, or what is wrong with the answer, as the end of a sentence
 */
function parseScores(text: string, count: number): number[] | string {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return "sent an answer that is not JSON, or was cut off";
  }
  const results = Array.isArray(answer) ? answer : (answer as { results?: unknown } | null)?.results;
  if (!Array.isArray(results)) return "sent an answer without a list `results`";
  if (results.length !== count) return `sent ${results.length} scores for ${count} passages`;
  const scores = new Array<number | undefined>(count).fill(undefined);
  for (const result of results) {
    const { index, relevance_score, score = relevance_score } = (result ?? {}) as Record<string, unknown>;
    if (typeof index !== "number" || !(index in scores) || scores[index] !== undefined) {
      return `sent a result with the unexpected index ${JSON.stringify(index)}`;
    }
    if (typeof score !== "number") return `sent no score for passage ${index}`;
    scores[index] = score;
  }
  return scores as number[];
}
