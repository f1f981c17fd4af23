/** `sluice doctor`: looks at everything that this configuration needs, and says what to do. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkServices, composeReindex, openAdapters } from "../compose.ts";
import { type Config, describeSettings, loadConfig } from "../config/config.ts";
import { SluiceError } from "../errors.ts";
import {
  type Check,
  checkBlobs,
  checkEmbedder,
  checkExtractor,
  checkFolder,
  checkIndex,
  checkKeys,
  checkNode,
  checkPage,
  checkReranker,
  checkServer,
  failed,
} from "./doctor-checks.ts";
import { checkQueue } from "./doctor-queue.ts";
import { counted, type OutputOptions, print, printable, printJson, styled, table } from "./output.ts";

export interface DoctorOptions extends OutputOptions {
  /** List the settings instead. */
  settings?: boolean;
}

/** Sets exit code 1 when a check fails. */
export async function doctor(options: DoctorOptions): Promise<void> {
  if (options.settings) {
    listSettings(options);
    return;
  }
  const config = loadConfig();
  const counts = { ok: 0, warn: 0, fail: 0 };
  for await (const check of examine(config)) {
    counts[check.status]++;
    if (options.json) printJson(check);
    else print(describeCheck(check));
  }
  if (counts.fail > 0) process.exitCode = 1;
  if (options.json) return;
  if (counts.fail + counts.warn === 0) print("\nAll is well.");
  else print(`\n${counted(counts.fail, "failure")}, ${counted(counts.warn, "warning")}.`);
}

async function* examine(config: Config): AsyncGenerator<Check, void, void> {
  yield checkNode(process.versions.node);
  const server = checkServer(config);
  // It is listened to only after the others: until then, nobody minds its failure.
  server.catch(() => {});

  let usable = true;
  let exists = true;
  if (config.storage.kind === "sqlite" || config.blobs.kind === "folder") {
    for (const check of await checkFolder(config.data_dir)) {
      usable &&= check.status !== "fail";
      exists &&= check.check !== "data folder" || check.status === "ok";
      yield check;
    }
  }
  for await (const { name, ok, message, fix } of checkServices(config)) {
    usable &&= ok;
    const status = !ok ? "fail" : fix === undefined ? "ok" : "warn";
    yield { check: name, status, message, ...(fix === undefined ? {} : { fix }) };
  }
  // Without a storage there is still much to prove: in a folder that is thrown away.
  const scratch = await mkdtemp(join(tmpdir(), "sluice-doctor-"));
  try {
    const own = usable && (exists || config.storage.kind !== "sqlite");
    const temporary = withoutServices(config, scratch);
    let adapters: Awaited<ReturnType<typeof openAdapters>> | undefined;
    try {
      adapters = await openAdapters(own ? config : temporary);
      const how = own ? "opens, and its schema is current" : "works (tried in a temporary folder)";
      yield { check: "database", status: "ok", message: `it ${how}` };
    } catch (error) {
      usable = false;
      const fix =
        config.storage.kind === "sqlite"
          ? "Check the permissions of the data folder; a damaged file is best restored from a backup."
          : "Check the SLUICE_… settings of the services above.";
      const missing = error instanceof SluiceError && error.code === "model_missing";
      yield failed(missing ? "model" : "database", error, fix);
      // Where even a new database can't be opened, the failure is told already.
      adapters = own ? await openAdapters(temporary).catch(() => undefined) : undefined;
    }
    if (adapters) {
      try {
        if (own && usable) {
          yield await checkBlobs(adapters.blobs);
          yield* await checkQueue(adapters, adapters.system.now());
          yield* await checkKeys(config, adapters.keys);
        }
        const embedder = await checkEmbedder(adapters.embedder);
        yield embedder;
        if (own && usable && embedder.status === "ok") {
          yield await checkIndex({ ...adapters, reindex: composeReindex(adapters) });
        }
        if (adapters.reranker) yield await checkReranker(adapters.reranker);
        yield await checkExtractor(adapters.extractor, scratch);
      } finally {
        await adapters.close();
      }
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  yield await server;
  yield checkPage();
}

/** The same configuration without any service, in a folder that is thrown away. */
function withoutServices(config: Config, data_dir: string): Config {
  return {
    ...config,
    data_dir,
    storage: { kind: "sqlite" },
    blobs: { kind: "folder" },
    queue: { kind: "database" },
    index: { kind: "database" },
    publishers: [],
  };
}

const marks = { ok: ["green", "ok  "], warn: ["yellow", "warn"], fail: ["red", "fail"] } as const;

function describeCheck({ check, status, message, fix }: Check): string {
  const [colour, mark] = marks[status];
  const line = `${styled(colour, mark)}  ${check.padEnd(11)}  ${printable(message)}`;
  return fix === undefined ? line : `${line}\n${" ".repeat(19)}${printable(fix)}`;
}

function listSettings({ json }: OutputOptions): void {
  const settings = describeSettings();
  if (json) {
    for (const setting of settings) printJson(setting);
    return;
  }
  const rows = settings.map((setting) => [setting.key, setting.default, setting.description]);
  print(table(["SETTING", "DEFAULT", "MEANING"], rows));
}
