/**
 * A page of one's own with `<sluice-upload>`, and the server behind it: it serves the page and the element, and passes
 * on to Sluice what the element needs, with the API key that no browser gets to see.
 *
 *   npm start                            (in one terminal)
 *   npm run example:element              (in another), then http://127.0.0.1:7400
 *
 * SLUICE_URL and SLUICE_API_KEY say where Sluice is and as whom to speak; PORT where this listens.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";

const sluice = new URL(process.env.SLUICE_URL ?? "http://127.0.0.1:7300");
const key = process.env.SLUICE_API_KEY;
const port = Number(process.env.PORT ?? 7400);

/** What the element asks for, and nothing else: whoever sees this page can't search, list or delete. */
const passed = [
  /^POST \/v1\/documents$/,
  /^GET \/v1\/documents\/[\w]+$/,
  /^POST \/v1\/uploads$/,
  /^(GET|HEAD|PATCH|DELETE) \/v1\/uploads\/\w+$/,
  /^GET \/v1\/events(\/stream)?$/,
  /^POST \/v1\/jobs\/\w+\/retry$/,
];

const here = dirname(fileURLToPath(import.meta.url));
/** The built element and client: relative imports only, so a browser takes them as they are. */
const client = join(dirname(fileURLToPath(import.meta.resolve("sluice/element"))), "..");
const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

const server = createServer((incoming, outgoing) => {
  const path = new URL(incoming.url ?? "/", "http://here").pathname;
  if (!path.startsWith("/v1/")) return void serve(path, outgoing);
  if (!mayPass(incoming, path)) return void outgoing.writeHead(403).end("not from here\n");
  const onward = pass(incoming);
  onward.on("response", (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
  });
  onward.on("error", () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502).end("Sluice does not answer\n");
  });
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
});

server.on("upgrade", (incoming: IncomingMessage, near: Duplex) => {
  near.on("error", () => near.destroy());
  if (!mayPass(incoming, new URL(incoming.url ?? "/", "http://here").pathname)) return void near.destroy();
  const onward = pass(incoming);
  onward.on("upgrade", ({ rawHeaders }, far, first) => {
    const head = rawHeaders.map((part, i) => part + (i % 2 ? "\r\n" : ": ")).join("");
    near.write(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n`);
    near.write(first);
    near.pipe(far).pipe(near);
    far.on("error", () => near.destroy());
    near.on("close", () => far.destroy());
  });
  // Refused: the element goes on with server-sent events, which tell why.
  onward.on("response", () => near.destroy());
  onward.on("error", () => near.destroy());
  onward.end();
});

/** Only from this page: a page of another origin must not speak with this server's key. */
function mayPass({ method, headers: { origin, host } }: IncomingMessage, path: string): boolean {
  const own = origin === undefined || new URL(origin).host === host;
  return own && passed.some((pattern) => pattern.test(`${method} ${path}`));
}

/** The same request to Sluice, as this server's own. */
function pass({ method, url, headers }: IncomingMessage) {
  const { host, origin, cookie, authorization, ...rest } = headers;
  const authorized = key === undefined ? rest : { ...rest, authorization: `Bearer ${key}` };
  return request(new URL(url ?? "/", sluice), { method, headers: authorized });
}

async function serve(path: string, outgoing: ServerResponse): Promise<void> {
  const name = normalize(path === "/" ? "/index.html" : path);
  const built = name.startsWith("/sluice/") && extname(name) === ".js";
  const file = built ? join(client, name.slice("/sluice/".length)) : join(here, name);
  const type = types[extname(file)];
  try {
    if (type === undefined) throw new Error("no such page");
    const body = await readFile(file);
    outgoing.writeHead(200, {
      "content-type": type,
      // As strict as it gets: the element needs nothing inline and nothing from elsewhere.
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    });
    outgoing.end(body);
  } catch {
    outgoing.writeHead(404).end("There is nothing here.\n");
  }
}

server.listen(port, "127.0.0.1", () => {
  console.log(
    `http://127.0.0.1:${(server.address() as { port: number }).port} passes on to ${sluice.origin}`,
  );
});
