/** `sluice api`: the HTTP API alone, against the data folder. */
import { composeIntake, openAdapters } from "../compose.ts";
import { isLoopback, loadConfig } from "../config/config.ts";
import { buildApp } from "../server/app.ts";
import { createLogger } from "./logger.ts";
import { findPage } from "./page-dir.ts";
import { onShutdown, sayReady } from "./shutdown.ts";

export async function api(): Promise<void> {
  const config = loadConfig();
  const log = createLogger(config.log_level, "api");
  const adapters = await openAdapters(config, {}, log);
  if (!isLoopback(config.host) && !(await adapters.keys.any())) {
    await adapters.close();
    throw new Error(
      `SLUICE_HOST is ${config.host}, which others can reach, but there is no API key. Make one with \`sluice keys create\`, or listen on 127.0.0.1.`,
    );
  }
  if (config.allowed_origins.includes("*") && !(await adapters.keys.any())) {
    await adapters.close();
    throw new Error(
      "SLUICE_ALLOWED_ORIGINS has *, but there is no API key: any page in a browser here could do anything. Make a key with `sluice keys create`, or name the origins.",
    );
  }
  const intake = composeIntake(config, adapters, log);
  const app = await buildApp({ ...adapters, ...intake, config, log, page_dir: findPage() });
  onShutdown(
    async () => {
      log.info({}, "stopping");
      await app.close();
      await intake.close();
      await adapters.close();
    },
    (error) => log.error({ err: error }, "stopping failed"),
  );
  const address = await app.listen({ host: config.host, port: config.port });
  log.info({ address }, "listening");
  sayReady();
}
