/** The command line as processes, against a real server. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../../src/cli/doctor-checks.ts";
import type { FileResult } from "../../src/cli/progress.ts";
import type { Document } from "../../src/document.ts";
import type { Job } from "../../src/job.ts";
import type { SearchAnswer } from "../../src/search/search.ts";
import { createClient } from "../e2e/client.ts";
import { cleanEnv, freePort, type Running, startSluice } from "../e2e/processes.ts";
import { forward } from "./proxy.ts";
import { type CommandResult, run } from "./run.ts";

let folder: string;
let server: Running;
let client: ReturnType<typeof createClient>;
const sluice = (...args: string[]): Promise<CommandResult> => run(server.env, args);

function write(path: string, text: string): string {
  const whole = join(folder, path);
  writeFileSync(whole, text);
  return whole;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-cli-"));
  server = await startSluice({
    env: {
      SLUICE_WORKERS: "1",
      SLUICE_LOG_LEVEL: "info",
      SLUICE_MAX_UPLOAD_BYTES: "1000000",
      SLUICE_LEASE_SECONDS: "2",
      SLUICE_RETRY_BASE_MS: "1",
    },
  });
  client = createClient(server.url);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function documentsOf(collection: string): Promise<Document[]> {
  const { body } = await client.call<{ documents: Document[] }>(
    "GET",
    `/v1/documents?collection=${collection}`,
  );
  return body.documents;
}

describe("ingest", () => {
  test("follows every file of a folder to its end; --json says it line by line", async () => {
    mkdirSync(join(folder, "good/sub"), { recursive: true });
    const paths = [
      write("good/boats.md", "# Boats\n\nThe sluice lets boats through."),
      write("good/sub/weirs.txt", "A weir holds the river back."),
      write("good/twin.md", "# Boats\n\nThe sluice lets boats through."),
    ];
    const args = ["ingest", join(folder, "good"), "--collection", "good", "--metadata", '{"year":2024}'];
    const first = await sluice("--json", ...args);
    expect(first.stderr).toBe("");
    expect(first.code).toBe(0);
    const results = first.json<FileResult>();
    expect(results.map(({ path }) => path).sort()).toEqual([...paths].sort());
    for (const { status, chunks_created, error } of results) {
      expect({ status, chunks_created, error }).toEqual({
        status: "completed",
        chunks_created: 1,
        error: null,
      });
    }
    // The twin and its sibling are one document, and that counts as fine.
    expect(results.filter(({ duplicate }) => duplicate)).toHaveLength(1);
    const documents = await documentsOf("good");
    expect(documents.map(({ status }) => status)).toEqual(["completed", "completed"]);
    expect(documents.map(({ metadata }) => metadata)).toEqual([{ year: 2024 }, { year: 2024 }]);

    const again = await sluice(...args, "--new-version", "--json");
    expect(again.code).toBe(0);
    // The twins' versions replace one another; each twin ends as the last of them does.
    expect(again.json<FileResult>().map(({ status }) => status)).toEqual([
      "completed",
      "completed",
      "completed",
    ]);
    expect((await documentsOf("good")).every(({ version }) => version >= 2)).toBe(true);
  });

  test("reports what fails, one line each, and ends with exit code 1", async () => {
    mkdirSync(join(folder, "bad"));
    write("bad/fine.txt", "Fine.");
    write("bad/empty.txt", "");
    writeFileSync(join(folder, "bad/picture.gif"), Buffer.from("GIF89a\0\0"));
    truncateSync(write("bad/large.txt", ""), 5_000_000);
    const { code, stdout, stderr } = await sluice(
      "ingest",
      join(folder, "bad/*"),
      join(folder, "missing.txt"),
      "-c",
      "bad",
    );
    expect(stderr).toBe("");
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(6);
    expect(lines.at(-1)).toMatch(/^5 files: 1 completed, 4 failed, 0 duplicates, 1 chunk, \d/);
    expect(stdout).toMatch(/^completed {2}.*fine\.txt {2}1 chunk, doc_/m);
    expect(stdout).toMatch(/^failed .*missing\.txt.*\(no_such_file\)$/m);
    expect(stdout).toMatch(/^failed .*empty\.txt.*\(empty_document\)$/m);
    expect(stdout).toMatch(/^failed .*picture\.gif.*\(unsupported_media_type\)$/m);
    expect(stdout).toMatch(/^failed .*large\.txt.*\(payload_too_large\)$/m);
    expect(code).toBe(1);
  });

  test("--no-wait ends when the files are accepted", async () => {
    const path = write("later.txt", "Read this later.");
    const { code, json } = await sluice("ingest", path, "--no-wait", "--json", "-c", "later");
    expect(code).toBe(0);
    const [result] = json<FileResult>();
    expect(result).toMatchObject({ path, status: "pending", error: null, duplicate: false });
    const document = await client.ended(result?.document_id as string, result?.job_id as string);
    expect(document.status).toBe("completed");
  });

  test("survives lost answers and a busy server, and makes one document", async () => {
    const keys: (string | undefined)[] = [];
    const proxy = await forward(server.url, (incoming, count) => {
      if (incoming.method !== "POST") return "pass";
      keys.push(incoming.headers["idempotency-key"] as string | undefined);
      return count === 1 ? "lose the answer" : count === 2 ? "busy" : "pass";
    });
    try {
      const { code, json } = await run({ ...server.env, SLUICE_URL: proxy.url }, [
        "ingest",
        write("once.txt", "Only once."),
        "--json",
        "-c",
        "once",
      ]);
      expect(json<FileResult>()).toMatchObject([{ status: "completed", duplicate: false }]);
      expect(code).toBe(0);
      expect(keys).toHaveLength(3);
      expect(new Set(keys).size).toBe(1);
      expect(await documentsOf("once")).toMatchObject([{ version: 1 }]);
    } finally {
      await proxy.close();
    }
  });

  test("goes on when the API process is killed and started again", async () => {
    mkdirSync(join(folder, "many"));
    for (let number = 1; number <= 40; number++) write(`many/${number}.txt`, `Text number ${number}.`);
    const { body } = await client.call<{ pids: { api: number } }>("GET", "/healthz");
    let killed = false;
    const { code, stdout } = await run(
      server.env,
      ["ingest", join(folder, "many"), "--json", "-c", "many", "--concurrency", "2"],
      () => {
        if (killed) return;
        killed = true;
        process.kill(body.pids.api, "SIGKILL");
      },
    );
    expect(killed).toBe(true);
    const results = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as FileResult);
    expect(results.filter(({ status }) => status !== "completed")).toEqual([]);
    expect(new Set(results.map(({ document_id }) => document_id)).size).toBe(40);
    expect(code).toBe(0);
  });

  test("takes part of a wrong call as such: exit code 2, before anything is sent", async () => {
    const wrong = [
      ["ingest"],
      ["ingest", folder, "--metadata", "{year: 2024}"],
      ["ingest", folder, "--metadata", '{"year": {"deep": 1}}'],
      ["ingest", folder, "--collection", "no/slashes"],
      ["ingest", folder, "--concurrency", "0"],
      ["ingest", folder, "--unheard-of"],
    ];
    for (const result of await Promise.all(wrong.map((args) => sluice(...args)))) {
      expect(result.code).toBe(2);
      expect(result.stdout).toBe("");
      expect(result.stderr).toMatch(/^sluice: .+\n$/);
    }
  });
});

describe("search", () => {
  test("shows hits with their place, and the API's answer with --json", async () => {
    const path = write("guide.md", "# Locks\n\n## Keepers\n\nThe keeper opens the lock at dawn.");
    await sluice("ingest", path, "-c", "guides", "-m", '{"year": 2020}');
    const [text, found, none, wrong] = await Promise.all([
      sluice("search", "when does the KEEPER open", "-c", "guides"),
      sluice("search", "keeper", "-f", '{"year":{"gte":2020}}', "--mode", "keyword", "-k", "1", "--json"),
      sluice("search", "keeper", "--filter", '{"year":{"lt":2020}}'),
      sluice("search", "keeper", "--filter", "[]"),
    ]);
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toMatch(
      /^ 1\. guide\.md {2}Locks › Keepers {2}[01]\.\d+\n {4}.*The keeper opens the lock at dawn\.\n/,
    );
    const answer = { mode: "keyword", hits: [{ filename: "guide.md", metadata: { year: 2020 } }] };
    expect(found.json<SearchAnswer>()).toMatchObject([answer]);
    expect(none).toMatchObject({ code: 0, stdout: "", stderr: "Nothing found.\n" });
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("jobs", () => {
  test("list, show and retry", async () => {
    const failed = await sluice("ingest", write("blank.txt", " \n "), "-c", "blank", "--json");
    const job_id = failed.json<FileResult>()[0]?.job_id as string;
    expect(failed.code).toBe(1);

    const [dead, two, table, shown, unknown, asJson] = await Promise.all([
      sluice("--json", "jobs", "list", "--state", "dead"),
      sluice("jobs", "list", "--json", "--limit", "2"),
      sluice("jobs", "list", "-s", "dead"),
      sluice("jobs", "show", job_id),
      sluice("jobs", "show", "job_unknown"),
      sluice("jobs", "--json", "show", "job_unknown"),
    ]);
    expect(dead.json<Job>().map((job) => job.job_id)).toContain(job_id);
    expect(dead.json<Job>().every(({ state }) => state === "dead")).toBe(true);
    expect(two.json<Job>()).toHaveLength(2);
    const lines = table.stdout.split("\n");
    expect(lines[0]).toMatch(/^JOB +STATE +TYPE +ATTEMPTS +CHANGED +DOCUMENT +ERROR$/);
    expect(lines.some((line) => line.startsWith(job_id) && line.includes("empty_document"))).toBe(true);
    expect(shown.stdout).toContain(`sluice jobs retry ${job_id}`);
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/^sluice: There is no job job_unknown\. .+ \(not_found\)\n$/);
    expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { code: "not_found", retryable: false } });

    expect(shown.stdout).toMatch(
      /rag\.ingestion\.started +attempt 1\n.*rag\.ingestion\.failed +attempt 1, empty_document/,
    );

    const retried = await sluice("jobs", "retry", job_id, "--json");
    expect(retried.json<Job>()).toMatchObject([{ job_id, state: "queued" }]);
    expect(retried.code).toBe(0);
    await expect
      .poll(
        async () => (await sluice("jobs", "list", "--code", "empty_document", "--json")).json<Job>().length,
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0);
    const none = await sluice("jobs", "retry", "--code", "worker_lost");
    expect(none).toMatchObject({ code: 0, stdout: "0 retried.\n" });
    const all = await sluice("jobs", "retry", "--all", "--json");
    expect(all.json<{ retried: number }>()[0]?.retried).toBeGreaterThan(0);
    expect((await sluice("jobs", "retry")).code).toBe(2);
    expect((await sluice("jobs", "retry", job_id, "--all")).code).toBe(2);
  });

  test("cancel takes a job out, and whoever follows it is told", async () => {
    // Without workers, so that the job waits.
    const idle = await startSluice({ command: "api" });
    try {
      const ingesting = run(idle.env, ["ingest", write("soon.txt", "Soon."), "--json"]);
      let job_id = "";
      for await (const { event_type, data } of createClient(idle.url).events("after=0")) {
        expect(event_type).toBe("rag.document.uploaded");
        job_id = data.job_id;
        break;
      }
      const cancelled = await run(idle.env, ["jobs", "cancel", job_id]);
      expect(cancelled).toMatchObject({ code: 0, stdout: `${job_id} is cancelled.\n`, stderr: "" });
      const { code, json } = await ingesting;
      expect(json<FileResult>()).toMatchObject([
        { job_id, status: "cancelled", error: { code: "cancelled" } },
      ]);
      expect(code).toBe(1);
    } finally {
      await idle.stop();
    }
  });
});

describe("without a server", () => {
  let data_dir: string;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    data_dir = join(folder, "elsewhere");
    env = cleanEnv({ SLUICE_DATA_DIR: data_dir, SLUICE_PORT: String(await freePort()) });
  });

  test("commands say how to start one", async () => {
    const calls = [
      ["ingest", folder],
      ["search", "x"],
      ["jobs", "list"],
    ];
    for (const { code, stdout, stderr } of await Promise.all(calls.map((args) => run(env, args)))) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^sluice: No Sluice server answers at .+ECONNREFUSED.+`npm start`.+\n$/);
    }
  });

  test("doctor warns, makes nothing, and fails where a start would", async () => {
    const damaged = join(folder, "damaged");
    mkdirSync(damaged);
    writeFileSync(join(damaged, "sluice.db"), "not a database ".repeat(1_000));
    const [healthy, wrong, broken, unknown, settings] = await Promise.all([
      run(env, ["doctor", "--json"]),
      run({ ...env, SLUICE_DATA_DIR: write("file", "") }, ["doctor"]),
      run({ ...env, SLUICE_DATA_DIR: damaged }, ["doctor"]),
      run({ ...env, SLUICE_WORKER: "3" }, ["doctor"]),
      run(env, ["doctor", "--settings"]),
    ]);
    const checks = healthy.json<Check>();
    const byName = Object.fromEntries(checks.map(({ check, status }) => [check, status]));
    expect(byName).toMatchObject({
      node: "ok",
      "data folder": "warn",
      database: "ok",
      embedder: "ok",
      extractor: "ok",
      server: "warn",
    });
    expect(checks.filter(({ status, fix }) => status !== "ok" && !fix)).toEqual([]);
    expect(healthy.code).toBe(0);
    expect(existsSync(data_dir)).toBe(false);

    expect(wrong.stdout).toMatch(/^fail {2}data folder .+is not a folder\n +.+SLUICE_DATA_DIR/m);
    expect(wrong.stdout).toMatch(/^ok .+reads a sample/m);
    expect(wrong.code).toBe(1);

    expect(broken.stdout).toMatch(/^fail {2}database/m);
    expect(broken.stdout).toMatch(/^ok .+reads a sample/m);
    expect(broken.code).toBe(1);

    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toContain("SLUICE_WORKER is not a setting of Sluice");
    expect(settings.stdout).toMatch(/^SLUICE_PORT +7300 +port/m);
  });

  test("keys are made, listed and revoked; what is stored is their hash", async () => {
    const made = await run(env, ["keys", "create", "--tenant", "acme", "--name", "for tests"]);
    expect(made.code).toBe(0);
    const key = made.stdout.trimEnd();
    expect(key).toMatch(/^sluice_[A-Za-z0-9_-]{43}$/);
    expect(made.stderr).toContain("first key");
    const db = new DatabaseSync(join(data_dir, "sluice.db"), { readOnly: true });
    const row = db.prepare("SELECT * FROM api_keys").get();
    db.close();
    expect(row).toMatchObject({
      tenant_id: "acme",
      name: "for tests",
      hash: createHash("sha256").update(key).digest("hex"),
    });
    expect(JSON.stringify(row)).not.toContain(key);

    const [doctor, listed, refused] = await Promise.all([
      run({ ...env, SLUICE_HOST: "0.0.0.0" }, ["doctor"]),
      run(env, ["keys", "list", "--json"]),
      run(env, ["keys", "create", "--tenant", "../up"]),
    ]);
    expect(doctor.stdout).toMatch(/^warn {2}keys .+1 key, but SLUICE_API_KEY is not set$/m);
    expect(refused.code).toBe(2);
    const [entry] = listed.json<{ key_id: string; hash?: string }>();
    expect(entry).toEqual({
      key_id: expect.stringMatching(/^key_/),
      tenant_id: "acme",
      name: "for tests",
      operator: false,
      created_at: expect.any(String),
      expires_at: null,
    });
    const passing = ["keys", "create", "--tenant", "acme", "--operator", "--expires", "10m", "--json"];
    const [brief] = (await run(env, passing)).json<{
      key_id: string;
      created_at: string;
      expires_at: string;
    }>();
    expect(brief).toMatchObject({ operator: true });
    expect(Date.parse(brief?.expires_at as string) - Date.parse(brief?.created_at as string)).toBe(600_000);
    const [table, endless] = await Promise.all([
      run(env, ["keys", "list"]),
      run(env, ["keys", "create", "--tenant", "acme", "--expires", "soon"]),
    ]);
    expect(table.stdout).toMatch(new RegExp(`^${brief?.key_id} +acme +yes .+${brief?.expires_at}`, "m"));
    expect(endless).toMatchObject({ code: 2, stderr: expect.stringContaining("10m") });
    expect((await run(env, ["keys", "revoke", brief?.key_id as string])).code).toBe(0);
    expect((await run(env, ["keys", "revoke", entry?.key_id as string])).code).toBe(0);
    const [again, open] = await Promise.all([
      run(env, ["keys", "revoke", entry?.key_id as string]),
      run({ ...env, SLUICE_HOST: "0.0.0.0" }, ["doctor"]),
    ]);
    expect(again.stderr).toMatch(/not_found/);
    expect(open.stdout).toMatch(/^fail {2}keys/m);
    expect(open.code).toBe(1);
  });
});

test("with a running server: doctor is content, and a key made beside it opens the door", async () => {
  const doctor = await sluice("doctor", "--json");
  const byName = Object.fromEntries(doctor.json<Check>().map(({ check, status }) => [check, status]));
  expect(byName).toMatchObject({ files: "ok", workers: "ok", index: "ok", keys: "ok", server: "ok" });
  expect(doctor.code).toBe(0);

  const [made] = (await sluice("keys", "create", "--tenant", "acme", "--json")).json<{
    key_id: string;
    key: string;
  }>();
  const withKey = { ...server.env, SLUICE_API_KEY: made?.key as string };
  // The server looks for keys again at most a second later; asking without one tells when it has.
  await expect.poll(async () => (await client.call("GET", "/v1/jobs")).status, { timeout: 5_000 }).toBe(401);
  const refused = await sluice("search", "boats");
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/Set SLUICE_API_KEY/);
  const other = await run(withKey, ["search", "boats"]);
  expect(other).toMatchObject({ code: 0, stdout: "", stderr: "Nothing found.\n" });
  const own = await run(withKey, ["ingest", write("own.txt", "The boats of acme."), "--json"]);
  expect(own.json<FileResult>()).toMatchObject([{ status: "completed" }]);
  expect((await run(withKey, ["keys", "revoke", made?.key_id as string])).code).toBe(0);
});
