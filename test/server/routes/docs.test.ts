import { expect, test } from "vitest";
import { errorTable } from "../../../src/errors.ts";
import { startServer } from "../harness.ts";

test("the type of a problem leads to its place on a page", async () => {
  const server = await startServer();
  const { type } = (await server.request("/v1/documents/doc_none")).json() as { type: string };
  const [path, code] = type.split("#") as [string, string];
  const page = await server.request(path);
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toMatch("text/html");
  expect(page.text).toContain(`<tr id="${code}">`);
  for (const each of Object.keys(errorTable)) expect(page.text).toContain(`id="${each}"`);
});
