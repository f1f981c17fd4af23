/** `sluice mcp`: Sluice for language models, on standard input and output or over HTTP, as a client of a server. */
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { createClient } from "../client/index.ts";
import { loadConfig } from "../config/config.ts";
import { buildMcpApp } from "../mcp/http.ts";
import { createMcpServer } from "../mcp/tools.ts";
import { onShutdown } from "./shutdown.ts";

export interface McpOptions {
  version: string;
  /** Over HTTP on this port; undefined: standard input and output. */
  port?: number;
}

export async function mcp({ version, port }: McpOptions): Promise<void> {
  const { client } = loadConfig();
  const complain = (error: unknown) => process.stderr.write(`sluice mcp: ${String(error)}\n`);
  const connect = (key: string | undefined) => createClient({ url: client.url, key });
  if (port === undefined) {
    // Standard output is the protocol's: whatever else there is to say goes to standard error.
    const served = serveStdio(() => createMcpServer(connect(client.api_key), version), { onerror: complain });
    onShutdown(() => served.close(), complain);
    return;
  }
  const app = buildMcpApp({ version, connect, onError: complain });
  onShutdown(() => app.close(), complain);
  await app.listen({ host: "127.0.0.1", port });
  process.stderr.write(
    `MCP at http://127.0.0.1:${port}/mcp, for ${client.url}; each request brings its own key.\n`,
  );
}
