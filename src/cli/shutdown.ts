/**
 * Runs `stop` once, at the first SIGTERM or SIGINT, or when the supervisor that started this process is gone; then
 * the process ends. A second signal ends it at once.
 */
export function onShutdown(stop: () => Promise<void>, onError: (error: unknown) => void): void {
  let stopping = false;
  const begin = (signal: string) => {
    if (stopping) {
      // A terminal's Ctrl-C reaches every process of the group, and the supervisor asks as well: only a person
      // asks for the same thing twice.
      if (signal === "SIGINT") process.exit(130);
      return;
    }
    stopping = true;
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        onError(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => begin("SIGTERM"));
  process.on("SIGINT", () => begin("SIGINT"));
  process.on("disconnect", () => begin("disconnect"));
}

/** Tells the supervisor, where there is one, that this process does its work now. */
export function sayReady(): void {
  process.send?.("ready");
}
