import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { cleanEnv, startSluice } from "../e2e/processes.ts";
import { drain, folderOf, originalOf, tamper } from "../maintenance/harness.ts";
import { openRig, paragraphs } from "../support/rig.ts";
import { run } from "./run.ts";

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-backup-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("a running instance is backed up, verified, and its copy started", async () => {
  const folder = await scratch();
  const sluice = await startSluice({ env: { SLUICE_WORKERS: "1" } });
  let stopped: Promise<unknown> | undefined;
  const stop = () => {
    stopped ??= sluice.stop();
    return stopped;
  };
  onTestFinished(async () => void (await stop()));
  const file = join(folder, "notes.md");
  await writeFile(file, "# Herons\n\nA heron stands in the shallows and waits.\n");
  expect((await run(sluice.env, ["ingest", file])).code).toBe(0);

  const copy = join(folder, "copy");
  const backup = await run(sluice.env, ["--json", "backup", copy]);
  expect(backup.stderr).toBe("");
  expect(backup.json()).toEqual([
    { folder: copy, blobs: 2, linked: expect.any(Number), missing: [], duration_ms: expect.any(Number) },
  ]);
  expect(backup.code).toBe(0);
  const verified = await run(sluice.env, ["verify"]);
  expect(verified.stdout).toBe("All is well: 1 document looked at.\n");
  expect(verified.code).toBe(0);
  await stop();

  const restored = await startSluice({ data_dir: copy, env: { SLUICE_WORKERS: "1" } });
  onTestFinished(async () => void (await restored.stop()));
  const search = await run(restored.env, ["search", "where does the heron stand?"]);
  expect(search.stdout).toContain("A heron stands in the shallows");
});

test("verify tells with its exit code what is left: 0 nothing, 1 findings, 2 it could not look", async () => {
  // As the command line is configured.
  const rig = await openRig({ embedder: createHashingEmbedder() });
  const repairable = await rig.searchable(paragraphs(3));
  const lost = await rig.searchable(paragraphs(2, "lost"));
  const env = cleanEnv({ SLUICE_DATA_DIR: folderOf(rig) });
  tamper(rig, "DELETE FROM chunks_fts WHERE rowid = 1");
  const told = await run(env, ["verify"]);
  expect(told.code).toBe(1);
  expect(told.stdout).toContain(`version_damaged  ${repairable}: `);
  expect(told.stdout).toContain("1 can be repaired: sluice verify --repair");
  const repaired = await run(env, ["--json", "verify", "--repair"]);
  expect(repaired.json()).toEqual([
    expect.objectContaining({ code: "version_damaged", document_id: repairable, repaired: true }),
    { documents: 2, remaining: 0, repaired: 1 },
  ]);
  expect(repaired.code).toBe(0);
  await drain(rig);
  await rm((await originalOf(rig, lost)).path);
  const left = await run(env, ["--json", "verify", "--fast", "--repair"]);
  expect(left.json()).toEqual([
    expect.objectContaining({ code: "original_missing", document_id: lost, repaired: false }),
    { documents: 2, remaining: 1, repaired: 0 },
  ]);
  expect(left.code).toBe(1);

  const nowhere = join(await scratch(), "nothing");
  const unable = await run(cleanEnv({ SLUICE_DATA_DIR: nowhere }), ["--json", "verify"]);
  expect(JSON.parse(unable.stderr)).toMatchObject({ error: { code: "no_data_folder" } });
  expect(unable.code).toBe(2);
  expect(existsSync(nowhere)).toBe(false);
});

test("backup refuses a folder in the data folder, or one that is taken, and tells of files that are gone", async () => {
  const rig = await openRig();
  const document_id = await rig.searchable("torn");
  const env = cleanEnv({ SLUICE_DATA_DIR: folderOf(rig) });
  const folder = await scratch();
  for (const taken of [join(folderOf(rig), "inside"), folderOf(rig), "/etc"]) {
    const refused = await run(env, ["--json", "backup", taken]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: "backup_refused" } });
  }
  await rm((await originalOf(rig, document_id)).path);
  const torn = await run(env, ["backup", join(folder, "copy")]);
  expect(torn.code).toBe(1);
  expect(torn.stderr).toContain("lacks 1 file that documents name");
  expect(existsSync(join(folder, "copy", "sluice.db"))).toBe(true);
});
