/** Whether a running ingestion and searches make the uploader wait longer. */
import type { Context, Row, Table } from "./benchmark.ts";
import { startHelper } from "./helper.ts";
import type { LoadMethods } from "./processes/load.ts";
import { startServer } from "./server.ts";
import { quantile, rounded } from "./statistics.ts";

const CLIENTS = 4;
/** Rest of each client between its uploads: the uploads themselves must not be what fills the machine. */
const PAUSE_MS = 25;
const SEARCH_CLIENTS = 2;
const SIZES = [
  { label: "16 KB", bytes: 16_000 },
  { label: "1 MB", bytes: 1_000_000 },
];

interface Round {
  uploads: number[][];
  searches: number[];
  /** Documents not ended yet when the measuring was over: with none left, there was no load at the end. */
  left: number;
}

export async function ackUnderLoad(context: Context): Promise<Table[]> {
  const { quick, say } = context;
  const quiet: Round[] = [];
  const loaded: Round[] = [];
  for (let round = 0; round < (quick ? 1 : 2); round++) {
    say(`  round ${round + 1}`);
    quiet.push(await measure(context, false));
    loaded.push(await measure(context, true));
  }
  const rows: Row[] = [];
  for (const [place, { label }] of SIZES.entries()) {
    const quietLatencies = quiet.flatMap((each) => each.uploads[place] as number[]);
    const loadedLatencies = loaded.flatMap((each) => each.uploads[place] as number[]);
    for (const [state, latencies] of [
      ["quiet", quietLatencies],
      ["loaded", loadedLatencies],
    ] as const) {
      rows.push({
        size: label,
        state,
        p50_ms: quantile(latencies, 0.5),
        p90_ms: quantile(latencies, 0.9),
        p99_ms: quantile(latencies, 0.99),
        of_the_quiet_p50: rounded(quantile(latencies, 0.5) / quantile(quietLatencies, 0.5)),
        of_the_quiet_p99: rounded(quantile(latencies, 0.99) / quantile(quietLatencies, 0.99)),
      });
    }
  }
  const searches = loaded.flatMap((each) => each.searches);
  return [
    {
      title: "ack-under-load: two workers ingest and searches run",
      rows,
      notes: [
        `${CLIENTS} clients with ${PAUSE_MS} ms of rest between uploads, raw body; ${SEARCH_CLIENTS} clients search meanwhile: ` +
          `${searches.length} searches, p50 ${rounded(quantile(searches, 0.5))} ms, p99 ${rounded(quantile(searches, 0.99))} ms.`,
        `Documents still waiting or in work at the end of each loaded round: ${loaded.map(({ left }) => left).join(", ")}.`,
      ],
    },
  ];
}

async function measure({ quick, folder }: Context, loaded: boolean): Promise<Round> {
  await using server = await startServer(folder(loaded ? "loaded" : "quiet"), {
    SLUICE_WORKERS: loaded ? "2" : "0",
  });
  await using load = await startHelper<LoadMethods>("load");
  await using others = await startHelper<LoadMethods>("load");
  const url = `${server.url}/v1/documents`;
  const warm = { url, form: "raw", clients: CLIENTS, requests: quick ? 20 : 100 } as const;
  for (const { bytes } of SIZES) await load.call("upload", { ...warm, size: bytes });
  // More than the workers get done meanwhile.
  if (loaded) await others.call("upload", { ...warm, requests: 80, size: 200_000 });
  const uploads: number[][] = [];
  const searches: number[] = [];
  for (const { bytes } of SIZES) {
    const requests = (quick ? 12 : 60) * CLIENTS;
    const uploading = load.call("upload", { ...warm, size: bytes, requests, pause_ms: PAUSE_MS });
    if (loaded) {
      let done = false;
      const searching = (async () => {
        while (!done) {
          const part = { url: server.url, clients: SEARCH_CLIENTS, duration_ms: 500, pause_ms: PAUSE_MS };
          searches.push(...(await others.call("search", part)).latencies);
        }
      })();
      uploads.push((await uploading).latencies);
      done = true;
      await searching;
    } else uploads.push((await uploading).latencies);
  }
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const jobs = [...metrics.matchAll(/^sluice_jobs\{state="(?:queued|running|retrying)"\} (\d+)/gm)];
  return { uploads, searches, left: jobs.reduce((total, [, count]) => total + Number(count), 0) };
}
