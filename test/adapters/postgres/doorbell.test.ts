import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { createSystem } from "../../../src/adapters/node/system.ts";
import type { Connection } from "../../../src/adapters/postgres/connection.ts";
import { createDoorbell } from "../../../src/adapters/postgres/doorbell.ts";

test("closed while it still connects, it ends", async () => {
  let connected: (client: unknown) => void = () => {};
  let ended = false;
  const client = Object.assign(new EventEmitter(), {
    query: async () => {},
    end: async () => {
      ended = true;
    },
  });
  const connection = {
    schema: "s",
    read: async () => [],
    connect: () =>
      new Promise((resolve) => {
        connected = resolve;
      }),
  } as unknown as Connection;
  const doorbell = createDoorbell(connection, createSystem(), 500);
  doorbell.listen("jobs", () => {});
  const closing = doorbell.close();
  connected(client);
  await closing;
  expect(ended).toBe(true);
});
