import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSqliteInbox } from "../../../src/adapters/kafka/inbox.ts";

let folder: string;
let database: DatabaseSync;
const open = () => new DatabaseSync(join(folder, "service.db"));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-inbox-"));
  database = open();
  database.exec("CREATE TABLE effects (what TEXT)");
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});
const write = (what: string) => (tx: DatabaseSync) => {
  tx.prepare("INSERT INTO effects VALUES (?)").run(what);
};
const effects = () =>
  database
    .prepare("SELECT what FROM effects ORDER BY rowid")
    .all()
    .map(({ what }) => what);

test("an effect happens once for a key, over restarts too", async () => {
  expect(await createSqliteInbox({ database }).run("a", write("first"))).toBe(true);
  expect(await createSqliteInbox({ database }).run("a", write("again"))).toBe(false);
  expect(await createSqliteInbox({ database }).run("b", write("other"))).toBe(true);
  database.close();
  database = open();
  expect(await createSqliteInbox({ database }).run("a", write("again"))).toBe(false);
  expect(effects()).toEqual(["first", "other"]);
});

test("an effect that throws leaves nothing, its key neither", async () => {
  const inbox = createSqliteInbox({ database });
  const failing = (tx: DatabaseSync) => {
    write("half")(tx);
    throw new Error("no");
  };
  await expect(inbox.run("a", failing)).rejects.toThrow("no");
  expect(effects()).toEqual([]);
  expect(await inbox.run("a", write("whole"))).toBe(true);
  expect(effects()).toEqual(["whole"]);
});

test("two connections with one key: one effect", async () => {
  const other = open();
  try {
    const inboxes = [createSqliteInbox({ database }), createSqliteInbox({ database: other })];
    const ran = await Promise.all(inboxes.map((inbox) => inbox.run("a", write("once"))));
    expect(ran.sort()).toEqual([false, true]);
    expect(effects()).toEqual(["once"]);
  } finally {
    other.close();
  }
});

test("services that share a database each have their effect", async () => {
  await createSqliteInbox({ database, consumer: "mailer" }).run("a", write("mail"));
  await createSqliteInbox({ database, consumer: "ledger" }).run("a", write("entry"));
  expect(effects()).toEqual(["mail", "entry"]);
});

test("an asynchronous effect is refused, and leaves nothing", async () => {
  const inbox = createSqliteInbox({ database });
  await expect(inbox.run("a", async (tx) => write("async")(tx))).rejects.toThrow("must not be asynchronous");
  expect(effects()).toEqual([]);
});

test("old keys can be forgotten", async () => {
  let now = 1_000;
  const inbox = createSqliteInbox({ database, now: () => now });
  await inbox.run("old", write("old"));
  now = 5_000;
  await inbox.run("new", write("new"));
  expect(inbox.forget(2_000)).toBe(1);
  expect(await inbox.run("old", write("old again"))).toBe(true);
  expect(await inbox.run("new", write("new again"))).toBe(false);
});
