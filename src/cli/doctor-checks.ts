/** What `sluice doctor` looks at, one function each. */
import { constants } from "node:fs";
import { access, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Config, isLoopback } from "../config/config.ts";
import { errorTable, SluiceError } from "../errors.ts";
import type { ApiKeyStore } from "../ports/api-key-store.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Extractor } from "../ports/extractor.ts";
import type { Reranker } from "../ports/reranker.ts";
import { type EmbedderParts, embedderForQueries } from "../reindex/in-force.ts";
import type { Reindex } from "../reindex/reindex.ts";
import { createClient } from "./client.ts";
import { CommandError, counted, formatBytes } from "./output.ts";
import { findPage } from "./page-dir.ts";

export interface Check {
  check: string;
  /** `warn`: it works, and somebody should know. */
  status: "ok" | "warn" | "fail";
  message: string;
  /** What to do. */
  fix?: string;
}

const GIBIBYTE = 1024 ** 3;
const SERVER_TIMEOUT_MS = 3_000;
const SAMPLE_TIMEOUT_MS = 30_000;

/** A check that threw. @param fix for errors that name none themselves */
export function failed(check: string, error: unknown, fix: string): Check {
  const message = error instanceof Error ? error.message : String(error);
  return {
    check,
    status: "fail",
    message,
    fix: error instanceof SluiceError && error.code !== "internal" ? errorTable[error.code].fix : fix,
  };
}

export function checkNode(version: string): Check {
  const check = "node";
  if (Number.parseInt(version, 10) >= 24) return { check, status: "ok", message: `v${version}` };
  return {
    check,
    status: "fail",
    message: `v${version}; Sluice needs Node 24 or later`,
    fix: "Install it from https://nodejs.org, or in a checkout run commands through npm: `npm run sluice -- doctor`.",
  };
}

/** The folder itself, and the space where it is, or will be. */
export async function checkFolder(data_dir: string): Promise<Check[]> {
  const check = "data folder";
  const place = await nearest(data_dir);
  try {
    if (!(await stat(place)).isDirectory()) {
      return [
        {
          check,
          status: "fail",
          message: `${place} is not a folder`,
          fix: "Name another place with SLUICE_DATA_DIR, or move that file away.",
        },
      ];
    }
    await access(place, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return [
      failed(check, error, `Give this user read and write permission on ${place}, or set SLUICE_DATA_DIR.`),
    ];
  }
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const space: Check = {
    check: "disk",
    status: free < GIBIBYTE ? "warn" : "ok",
    message: `${formatBytes(free)} free`,
    ...(free < GIBIBYTE
      ? { fix: "Free some space, or move the data folder: uploads are refused when the disk is full." }
      : {}),
  };
  const folder: Check =
    place === data_dir
      ? { check, status: "ok", message: data_dir }
      : { check, status: "warn", message: `${data_dir} is not there yet`, fix: "The first start makes it." };
  return [folder, space];
}

/** The path, or the nearest folder above it that exists. */
async function nearest(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    try {
      await stat(place);
      return place;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== "ENOENT" && code !== "ENOTDIR") || place === dirname(place)) return place;
    }
  }
}

export async function checkBlobs(blobs: BlobStore): Promise<Check> {
  try {
    await blobs.check();
    return { check: "files", status: "ok", message: "a file can be stored durably" };
  } catch (error) {
    return failed("files", error, "Check the space and the permissions of the data folder.");
  }
}

/** Whether the server would start at its address, and whether this command line may speak to it. */
export async function checkKeys(config: Config, keys: ApiKeyStore): Promise<Check[]> {
  const check = "keys";
  const { length } = await keys.list();
  if (length === 0 && !isLoopback(config.host)) {
    return [
      {
        check,
        status: "fail",
        message: `SLUICE_HOST is ${config.host}, which others can reach, and there is no API key: the server will not start`,
        fix: "Make a key with `sluice keys create --tenant NAME`, or listen on 127.0.0.1.",
      },
    ];
  }
  if (length === 0) {
    return [
      {
        check,
        status: "ok",
        message: `none: tenant default, on ${config.host} only, for this machine alone`,
      },
    ];
  }
  if (config.client.api_key === undefined) {
    return [
      {
        check,
        status: "warn",
        message: `${counted(length, "key")}, but SLUICE_API_KEY is not set`,
        fix: "Commands that speak to the server need it: set SLUICE_API_KEY to a key.",
      },
    ];
  }
  return [{ check, status: "ok", message: counted(length, "key") }];
}

export async function checkEmbedder(embedder: Embedder): Promise<Check> {
  try {
    await embedder.check();
    const { embedder_id, dimensions } = embedder;
    return { check: "embedder", status: "ok", message: `${embedder_id}, ${dimensions} dimensions` };
  } catch (error) {
    return failed("embedder", error, "Check the SLUICE_EMBEDDER_… settings.");
  }
}

export async function checkReranker(reranker: Reranker): Promise<Check> {
  try {
    await reranker.check();
    return { check: "reranker", status: "ok", message: reranker.reranker_id };
  } catch (error) {
    // Searches answer without it.
    return { ...failed("reranker", error, "Check the SLUICE_RERANKER_… settings."), status: "warn" };
  }
}

/** Whether the index answers, and whose vectors it is of. */
export async function checkIndex(parts: EmbedderParts & { reindex: Reindex }): Promise<Check> {
  const check = "index";
  try {
    const { embedder, index } = await embedderForQueries(parts);
    const [vector] = await embedder.embed(["sample"], "query");
    await index.nearest({ tenant_id: "default" }, vector as Float32Array, 1);
    const { state, configured, serving, target, documents, done, failed } = await parts.reindex.status();
    const lacking = documents - done;
    if (state === "running") {
      return {
        check,
        status: "warn",
        message: `answers, with vectors of ${serving}; a reindex under ${target} has done ${done} of ${documents} documents${failed > 0 ? `, ${failed} failed for good` : ""}`,
        fix: "`sluice reindex` follows it; failed jobs hold it up (`sluice jobs list --state dead`).",
      };
    }
    if (state === "due") {
      return {
        check,
        status: "warn",
        message:
          serving === configured
            ? `${counted(lacking, "document")} of ${documents} lack vectors of ${serving}: found by words alone`
            : `answers, with vectors of ${serving}, which stays in use; the settings name ${configured}`,
        fix: "`sluice reindex` embeds everything with the configured embedder, in the background.",
      };
    }
    return { check, status: "ok", message: "answers, with vectors of this embedder only" };
  } catch (error) {
    return failed("index", error, "The database may be damaged: restore it from a backup.");
  }
}

/** @param folder where a sample may be written */
export async function checkExtractor(extractor: Extractor, folder: string): Promise<Check> {
  const check = "extractor";
  const path = join(folder, "sample.md");
  try {
    await writeFile(path, "# Sample\n\nA sluice lets water through.\n");
    const { text } = await extractor.extract(
      { path, media_type: "text/markdown", filename: "sample.md" },
      () => {},
      AbortSignal.timeout(SAMPLE_TIMEOUT_MS),
    );
    if (!text.includes("A sluice lets water through.")) throw new Error("The sample came back changed.");
    return { check, status: "ok", message: "reads a sample in a process of its own" };
  } catch (error) {
    return failed(check, error, "Check SLUICE_EXTRACT_MEMORY_MB and the memory of this machine.");
  }
}

/** Whether a server answers where commands look for it. None is a warning: it may just not run. */
export async function checkServer({ client }: Config): Promise<Check> {
  const check = "server";
  const { probe, url } = createClient(client);
  try {
    const { status, media_type, body } = await probe("/readyz", SERVER_TIMEOUT_MS);
    if (media_type.includes("json") && (status === 200 || status === 503)) {
      const { reasons } = JSON.parse(body) as { reasons?: string[] };
      if (reasons !== undefined) {
        return status === 200
          ? { check, status: "ok", message: `ready at ${url}` }
          : {
              check,
              status: "fail",
              message: `${url} runs, but is not ready: ${reasons.join("; ")}`,
              fix: "Look at the server's log; without workers nothing is ingested (`sluice worker`).",
            };
      }
    }
  } catch (error) {
    if (error instanceof CommandError && error.code === "server_unreachable") {
      return {
        check,
        status: "warn",
        message: `none answers at ${url}`,
        fix: "`sluice start` (in a checkout: `npm start`) runs one; SLUICE_URL names another.",
      };
    }
    return failed(check, error, "Look at the server's log.");
  }
  return {
    check,
    status: "fail",
    message: `something else than Sluice answers at ${url}`,
    fix: "Set SLUICE_PORT to a free port, or SLUICE_URL to the server.",
  };
}

export function checkPage(): Check {
  const check = "page";
  if (findPage() !== undefined) return { check, status: "ok", message: "built" };
  return { check, status: "warn", message: "not built", fix: "`npm run build:page` in the checkout." };
}
