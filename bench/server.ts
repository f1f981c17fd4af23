/** A real `sluice start` for a benchmark, that ends with the block that it is declared in. */
import { startSluice } from "../test/e2e/processes.ts";

export interface Server extends AsyncDisposable {
  url: string;
  data_dir: string;
}

/** @param env settings; an empty value leaves the default */
export async function startServer(data_dir: string, env: Record<string, string>): Promise<Server> {
  const running = await startSluice({ data_dir, env: { SLUICE_SHUTDOWN_SECONDS: "0", ...env } });
  return {
    url: running.url,
    data_dir,
    async [Symbol.asyncDispose]() {
      await running.stop();
    },
  };
}
