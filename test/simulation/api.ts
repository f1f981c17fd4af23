/** One simulated API process: everything that the HTTP server calls, and the relay beside it. */
import { createAdmission } from "../../src/intake/admission.ts";
import { createCommands } from "../../src/intake/commands.ts";
import { relay } from "../../src/intake/relay.ts";
import { createUploads } from "../../src/intake/upload.ts";
import { createFollower } from "../../src/progress/follow.ts";
import { createSearch } from "../../src/search/search.ts";
import type { Installation } from "./installation.ts";
import { openPorts } from "./ports.ts";

export type Api = ReturnType<typeof startApi>;

export function startApi({ scheduler, outside, log, plant, settings }: Installation) {
  const process = scheduler.spawn("api", scheduler.random.below(1_000));
  const ports = openPorts(scheduler, process, outside, plant);
  const { system } = process;
  const follower = createFollower(ports.documents);
  void relay({ ...ports, follower, system, log }, ports.publisher, new AbortController().signal);
  const parts = { ...ports, system, max_attempts: settings.max_attempts };
  const admission = settings.max_queued_per_tenant;
  return {
    process,
    follower,
    beginUpload: createUploads({
      ...parts,
      ...(admission === undefined
        ? {}
        : {
            admit: createAdmission(parts, {
              max_queued_per_tenant: admission,
              max_queued: 2 * admission,
              max_concurrent_uploads: 2,
              min_free_bytes: 0,
            }),
          }),
      accepts: (media_type) => media_type === "text/plain",
      max_upload_bytes: 100_000,
    }),
    commands: createCommands(parts),
    search: createSearch(ports),
  };
}
