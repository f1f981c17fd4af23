/**
 * Receives Sluice's webhooks: verifies the signature, knows repetitions, answers at once and works afterwards.
 *
 *   WEBHOOK_SECRET=whsec_… node examples/webhook-receiver.ts --port 8080
 *
 * It needs nothing but Node. The package `standardwebhooks`, and its like for other languages, verify the same in one call.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { parseArgs } from "node:util";

/** A request that is older than this may be a recorded one, sent again by somebody else. */
const TOLERANCE_SECONDS = 300;
const MAX_BYTES = 1024 * 1024;

const { values } = parseArgs({ options: { port: { type: "string", default: "8080" } } });
const secret = process.env.WEBHOOK_SECRET ?? "";
if (!secret.startsWith("whsec_")) {
  console.error("WEBHOOK_SECRET is to be what `POST /v1/webhooks` answered as `secret`: whsec_…");
  process.exit(2);
}
const key = Buffer.from(secret.slice("whsec_".length), "base64");

/** Whether the request is Sluice's own. The body is signed as it came: parse it afterwards. */
function isGenuine(headers: IncomingHttpHeaders, body: string): boolean {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof signatures !== "string") return false;
  if (!(Math.abs(Date.now() / 1_000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  // There are several while a secret is being replaced.
  return signatures.split(" ").some((each) => {
    const [version, signature = ""] = each.split(",");
    const given = Buffer.from(signature, "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** Ids that were seen: keep them where your own work is kept, in one transaction with it. */
const seen = new Set<string>();

const server = createServer(async (request, response) => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BYTES) return void response.writeHead(413).end();
    parts.push(part);
  }
  const body = Buffer.concat(parts).toString("utf8");
  if (!isGenuine(request.headers, body)) return void response.writeHead(401).end();
  const event = JSON.parse(body) as { id: string; type: string; subject: string; sequence?: string };
  const again = seen.has(event.id);
  seen.add(event.id);
  response.writeHead(204).end();
  console.log(`${again ? "again " : ""}${event.type} ${event.subject} ${Number(event.sequence ?? 0)}`);
});

server.listen(Number(values.port), "127.0.0.1", () => {
  const { port } = server.address() as { port: number };
  console.log(`receiving at http://127.0.0.1:${port}/`);
});
