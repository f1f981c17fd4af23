/**
 * Fetches and builds what the tests against real services start, so that no test's own time is spent on it. Each is kept
 * in the user's cache; what is missing on the machine is said before any test runs.
 */
import { fetchKafka } from "./kafka.ts";
import { fetchPostgresWithVectors, findPostgres } from "./postgres.ts";
import { buildS3 } from "./s3.ts";
import { buildToxiproxy } from "./toxiproxy.ts";
import { miniLm, transformersPackage } from "./transformers.ts";

const services: [string, () => unknown][] = [
  ["PostgreSQL", findPostgres],
  ["PostgreSQL with pgvector", fetchPostgresWithVectors],
  ["Kafka", fetchKafka],
  ["Toxiproxy", buildToxiproxy],
  ["S3", buildS3],
  ["transformers.js", transformersPackage],
  ["all-MiniLM-L6-v2", miniLm],
];
for (const [name, fetch] of services) {
  const began = performance.now();
  await fetch();
  console.log(`${name}: ready in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
}
