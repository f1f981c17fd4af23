import { describeEventPublisher } from "../../../contracts/index.ts";
import { createMemoryPublisher } from "../../../src/adapters/memory/event-publisher.ts";

describeEventPublisher("memory", async () => {
  const publisher = createMemoryPublisher();
  return {
    publisher,
    received: async () => publisher.events,
    restart: async () => createMemoryPublisher(),
    close: () => publisher.close(),
  };
});
