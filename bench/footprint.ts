/** What the processes cost: memory and processor time at rest, and the most memory that a large upload takes. */
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, Row, Table } from "./benchmark.ts";
import { startCompiled } from "./server.ts";
import { rounded } from "./statistics.ts";

/** After a start, until nothing is loaded or compiled any more. */
const SETTLE_MS = 3_000;
const BOUNDARY = "sluice-benchmark-boundary";
const PIECE = Buffer.alloc(1_000_000, "The quick brown fox jumps over the lazy dog. ");
/** What Linux counts processor time in (sysconf(_SC_CLK_TCK), 100 on every platform that Node runs on). */
const TICK_MS = 10;

export async function footprint(context: Context): Promise<Table[]> {
  return [await atRest(context), await largeUpload(context)];
}

async function atRest({ quick, folder, say }: Context): Promise<Table> {
  const seconds = quick ? 3 : 20;
  await using server = await startCompiled(folder("idle"), { SLUICE_WORKERS: "" });
  say(`  at rest, ${seconds} s`);
  await sleep(SETTLE_MS);
  const processes = await describeProcesses(server.url, server.pid);
  const before = processes.map(({ pid }) => processorTime(pid));
  const started = performance.now();
  await sleep(seconds * 1_000);
  const elapsed_s = (performance.now() - started) / 1_000;
  const rows = processes.map(({ role, pid }, place): Row => {
    const used = processorTime(pid) - (before[place] as number);
    return {
      process: role,
      resident_mb: memory(pid, "VmRSS"),
      processor_ms_per_s: rounded(used / elapsed_s),
    };
  });
  rows.push({
    process: "together",
    resident_mb: rows.reduce((total, row) => total + (row.resident_mb as number), 0),
    processor_ms_per_s: rows.reduce((total, row) => total + (row.processor_ms_per_s as number), 0),
  });
  return {
    title: "footprint: sluice start with defaults, compiled, before the first document",
    rows,
    notes: [
      "Memory shared between the processes (Node itself) counts in each. Extraction children start with the first document.",
      `Processor time over ${seconds} s, in steps of ${rounded(TICK_MS / seconds)} ms per s.`,
    ],
  };
}

async function largeUpload({ quick, folder, say }: Context): Promise<Table> {
  const megabytes = quick ? 100 : 500;
  await using server = await startCompiled(folder("large"), { SLUICE_WORKERS: "0" });
  await sleep(quick ? 500 : SETTLE_MS);
  const processes = await describeProcesses(server.url, server.pid);
  const peaks = () => processes.map(({ pid }) => memory(pid, "VmHWM"));
  const before = peaks();
  say(`  ${megabytes} MB, raw`);
  await uploadLarge(server.url, megabytes, "raw");
  const afterRaw = peaks();
  say(`  ${megabytes} MB, multipart`);
  await uploadLarge(server.url, megabytes, "multipart");
  const afterBoth = peaks();
  return {
    title: `footprint: the most memory that a process ever had, before and after uploads of ${megabytes} MB`,
    rows: processes.map(
      ({ role }, place): Row => ({
        process: role,
        before_mb: before[place] as number,
        after_raw_body_mb: afterRaw[place] as number,
        then_multipart_mb: afterBoth[place] as number,
      }),
    ),
    notes: ["One upload after the other to the same processes, no workers. VmHWM of proc(5)."],
  };
}

async function describeProcesses(url: string, supervisor: number): Promise<{ role: string; pid: number }[]> {
  const { pids } = (await (await fetch(`${url}/healthz`)).json()) as {
    pids: { api: number; workers: number[] };
  };
  const known = [
    { role: "supervisor", pid: supervisor },
    { role: "API", pid: pids.api },
    ...pids.workers.map((pid, place) => ({ role: `worker ${place + 1}`, pid })),
  ];
  const missed = childrenOf(supervisor).filter((pid) => !known.some((each) => each.pid === pid));
  if (missed.length > 0) throw new Error(`/healthz does not name the processes ${missed.join(", ")}`);
  return known;
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return Number(statOf(pid)[1]) === parent;
      } catch (error) {
        // It ended after it was listed.
        if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
        throw error;
      }
    });
}

/** The fields of proc_pid_stat(5) from the third on: the name before them may hold anything. */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Milliseconds of all threads together, since the process started. */
function processorTime(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** In megabytes of 1,000,000 bytes. */
function memory(pid: number, field: "VmRSS" | "VmHWM"): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(
    readFileSync(`/proc/${pid}/status`, "latin1"),
  )?.[1];
  return rounded((Number(kibibytes) * 1_024) / 1e6);
}

async function uploadLarge(url: string, megabytes: number, form: "raw" | "multipart"): Promise<void> {
  const multipart = form === "multipart";
  const head = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="large.txt"\r\ncontent-type: text/plain\r\n\r\n`;
  // The first words make each another file.
  function* body() {
    if (multipart) yield Buffer.from(head);
    yield Buffer.from(`${form} `.padEnd(16));
    for (let piece = 0; piece < megabytes; piece++) yield PIECE;
    if (multipart) yield Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
  }
  const call = request(`${url}/v1/documents`, {
    method: "POST",
    headers: { "content-type": multipart ? `multipart/form-data; boundary=${BOUNDARY}` : "text/plain" },
  });
  const answered = new Promise<void>((resolve, reject) => {
    call.on("error", reject);
    call.on("response", (response) => {
      response.resume();
      if (response.statusCode === 202) response.on("end", resolve);
      else reject(new Error(`the upload was answered ${response.statusCode}`));
    });
  });
  await Promise.all([pipeline(Readable.from(body()), call), answered]);
}
