/** For other services: events out of Kafka, each counted once. `import { consumeEvents } from "sluice/kafka"`. */
export { type ConsumeOptions, consumeEvents } from "./consumer.ts";
export { createSqliteInbox, type Inbox } from "./inbox.ts";
