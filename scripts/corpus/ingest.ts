/** Takes a folder through a real service of its own, and follows each file to its end. */
import { Agent } from "node:http";
import { followJourneys, isOver, type Journey } from "./journeys.ts";
import { startService } from "./service.ts";
import { upload } from "./upload.ts";
import { type Found, walk } from "./walk.ts";

export interface Outcome {
  /** The file's path below the folder, on one line; of a file inside another, its name there. */
  file: string;
  /** Null of a file inside another. */
  size_bytes: number | null;
  /**
   * How its document ended; or `skipped`: it could not be uploaded; `refused`: the service did not take it; `known`: it
   * has the same bytes as another file; `open`: it came to no end.
   */
  status: "completed" | "failed" | "cancelled" | "skipped" | "refused" | "known" | "open";
  /** The error's code, or why it was skipped, or which file has its bytes. */
  code: string | null;
  message: string | null;
  attempts: number;
  pages: number | null;
  chunks: number | null;
  seconds: number | null;
  /** MiB that the processes that read it were seen to take; null where the system does not tell. */
  peak_mb: number | null;
  /** Files inside of which no document was made. */
  files_unreadable: number;
  children: Outcome[];
}

export interface IngestOptions {
  folder: string;
  /** Files on their way at a time, and processes that read. */
  concurrency: number;
  /** After so long without any event, what has not ended is given up. */
  patience_ms: number;
  /** Settings of the service, SLUICE_…. */
  settings: Record<string, string>;
  /** Called with each file of the folder when it and all that came out of it have ended. */
  tell(outcome: Outcome): void;
}

export interface Ingested {
  outcomes: Outcome[];
  /** What must not happen: a process that was lost, a service that came to no end. */
  losses: string[];
  seconds: number;
  /** MiB that all processes of the service were seen to take together. */
  service_peak_mb: number | null;
}

/** One file of the folder on its way. */
interface Row {
  found: Found;
  document_id?: string;
  /** Where no document tells. */
  outcome?: Outcome;
  told: boolean;
}

/** @throws Error where there is no such folder, or the service does not start */
export async function ingestFolder(options: IngestOptions): Promise<Ingested> {
  const { folder, concurrency, patience_ms, settings, tell } = options;
  const files = walk(folder);
  const first = files.next();
  const began = performance.now();
  await using service = await startService(concurrency, settings);
  const rows: Row[] = [];
  const rowOf = new Map<string, Row>();
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const journeys = followJourneys({
    begins: service.memory.begins,
    ends(journey) {
      service.memory.ends(journey);
      tellFamilyOf(journey);
    },
  });

  function tellRow(row: Row): void {
    if (row.told) return;
    row.told = true;
    tell(outcomeOf(row));
  }

  function outcomeOf({ found, outcome, document_id }: Row): Outcome {
    if (outcome !== undefined) return outcome;
    const journey = journeys.get(document_id ?? "");
    if (journey === undefined) return without(found, "open", "no event");
    return { ...fromJourney(journey), file: found.shown, size_bytes: found.size_bytes };
  }

  function tellFamilyOf(journey: Journey): void {
    let top = journey;
    for (let above = journeys.get(top.parent_document_id ?? ""); above; ) {
      top = above;
      above = journeys.get(top.parent_document_id ?? "");
    }
    const row = rowOf.get(top.document_id);
    if (row !== undefined && isOver(top)) tellRow(row);
  }

  async function take(found: Found): Promise<void> {
    const row: Row = { found, told: false };
    rows.push(row);
    try {
      if (found.skipped !== undefined) {
        row.outcome = without(found, "skipped", found.skipped);
        return;
      }
      const answer = await upload(service.url, agent, found);
      if ("refused" in answer) {
        row.outcome = without(found, "refused", answer.refused, answer.message);
        return;
      }
      const other = rowOf.get(answer.document_id);
      if (other !== undefined) {
        row.outcome = without(found, "known", other.found.shown);
        return;
      }
      row.document_id = answer.document_id;
      rowOf.set(answer.document_id, row);
      tellFamilyOf(await journeys.ended(answer.document_id, answer.job_id));
    } catch (error) {
      if (!service.isRunning()) throw error;
      row.outcome = without(found, "skipped", error instanceof Error ? error.message : String(error));
    } finally {
      if (row.outcome !== undefined) tellRow(row);
    }
  }

  async function takeTurns(): Promise<void> {
    for (let next = first.done ? files.next() : first; !next.done; next = files.next()) {
      first.done = true;
      await take(next.value);
    }
  }

  const patience = hope(patience_ms);
  const following = service.follow((event) => {
    patience.renew();
    journeys.see(event);
  });
  const losses: string[] = [];
  const loss = await Promise.race([
    Promise.all(Array.from({ length: concurrency }, takeTurns))
      .then(() => journeys.settled())
      .then(() => undefined),
    following.then(() => "the events ended"),
    service.ended,
    patience.lost,
  ]).catch((error: unknown) => String(error));
  patience.end();
  agent.destroy();
  if (loss !== undefined) losses.push(loss);
  losses.push(...(await service.lost().catch((error: unknown) => [String(error)])));
  for (const row of rows) tellRow(row);
  const peak = service.peak();
  return {
    outcomes: rows.map(outcomeOf),
    losses,
    seconds: (performance.now() - began) / 1_000,
    service_peak_mb: peak === null ? null : mebibytes(peak),
  };
}

/** Resolves `lost` when nobody has renewed it for so long. */
function hope(patience_ms: number) {
  const { promise, resolve } = Promise.withResolvers<string>();
  let timer: NodeJS.Timeout | undefined;
  const renew = () => {
    clearTimeout(timer);
    timer = setTimeout(() => resolve(`nothing happened for ${patience_ms / 1_000} s`), patience_ms);
  };
  renew();
  return { lost: promise, renew, end: () => clearTimeout(timer) };
}

function without(
  found: Found,
  status: Outcome["status"],
  code: string,
  message: string | null = null,
): Outcome {
  return {
    file: found.shown,
    size_bytes: found.size_bytes,
    status,
    code,
    message,
    attempts: 0,
    pages: null,
    chunks: null,
    seconds: null,
    peak_mb: null,
    files_unreadable: 0,
    children: [],
  };
}

function fromJourney(journey: Journey): Outcome {
  const { filename, status, error, attempts, pages, chunks, seconds, peak_bytes, files_unreadable } = journey;
  return {
    file: filename,
    size_bytes: null,
    status: status === "pending" ? "open" : status,
    code: error?.code ?? null,
    message: error?.message ?? null,
    attempts,
    pages: pages ?? null,
    chunks: chunks ?? null,
    seconds: seconds ?? null,
    peak_mb: peak_bytes === undefined ? null : mebibytes(peak_bytes),
    files_unreadable,
    children: journey.children.map(fromJourney),
  };
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}
