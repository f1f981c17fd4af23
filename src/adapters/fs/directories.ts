/** Directories that survive a power cut: each is made once, and its name made durable in the one above it. */
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

export interface Directories {
  /** Resolves when the directory, at or below the root, is there durably. */
  ensure(directory: string): Promise<void>;
  /** Makes the names in a directory durable. */
  sync(directory: string): Promise<void>;
  /** Looks again next time, after something was found to be gone. */
  forget(): void;
}

export function createDirectories(root: string): Directories {
  /** Directory → when it is there. Shared by those who need it at the same time. */
  const known = new Map<string, Promise<void>>();

  const sync = async (directory: string): Promise<void> => {
    // Windows opens no directory as a file; there, NTFS journals names by itself.
    if (process.platform === "win32") return;
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  };

  const make = async (directory: string): Promise<void> => {
    if (directory === root) {
      const first = await mkdir(root, { recursive: true });
      if (first === undefined) return;
      // Everything from the first one made down to the root has a new name in the one above it.
      for (let at = root; at.length >= first.length; at = dirname(at)) await sync(dirname(at));
      return;
    }
    await ensure(dirname(directory));
    try {
      await mkdir(directory);
    } catch (cause) {
      // Another process may have made it, and not have made it durable yet.
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
    }
    await sync(dirname(directory));
  };

  const ensure = (directory: string): Promise<void> => {
    const before = known.get(directory);
    if (before) return before;
    const made = make(directory);
    known.set(directory, made);
    // A failure is told to those who wait now; whoever comes later tries again.
    made.catch(() => {
      if (known.get(directory) === made) known.delete(directory);
    });
    return made;
  };

  return { ensure, sync, forget: () => known.clear() };
}
