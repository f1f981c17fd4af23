/** The statuses, spelled out here: the module that defines them would bring its schemas into the page. */
import type { DocumentStatus } from "../../../src/document.ts";

export type { DocumentStatus };

export const documentStatuses = [
  "pending",
  "processing",
  "completed",
  "failed",
  "cancelled",
] as const satisfies readonly DocumentStatus[];
