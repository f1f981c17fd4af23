/** What the sweeper has to know of resumable uploads. */
import type { System } from "../ports/system.ts";
import type { UploadLocks } from "./upload-locks.ts";
import { forget, isAwaited, readRecord, recordKey, stateOf, type UploadKeeping } from "./upload-record.ts";

export function createUploadSweep(keeping: UploadKeeping & { system: System }, locks: UploadLocks) {
  return {
    /** Whether a blob that no document names has all bytes of an upload whose client may still come for its document. */
    awaits: (blob_key: string) => isAwaited(keeping.blobs, blob_key),

    /** Removes an upload if it has expired and nobody writes to it. @returns whether it did */
    async expire(record_key: string): Promise<boolean> {
      const [tenant_id = "", upload_id = ""] = record_key.split("/");
      const isExpired = async () => {
        const record = await readRecord(keeping.blobs, tenant_id, upload_id);
        if (!record) return false;
        const { expires_at } = await stateOf(keeping, tenant_id, record);
        return Date.parse(expires_at) <= keeping.system.now();
      };
      if (!(await isExpired())) return false;
      const release = await locks.tryTake(recordKey(tenant_id, upload_id));
      if (!release) return false;
      try {
        // Its client may have come back in between.
        if (!(await isExpired())) return false;
        await forget(keeping, tenant_id, upload_id);
        return true;
      } finally {
        await release();
      }
    },
  };
}
