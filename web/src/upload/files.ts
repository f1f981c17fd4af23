/** The files that somebody hands over: dropped or picked, in folders or by themselves. */

/** Hidden files, such as .DS_Store, are the system's, not the user's. */
const isHidden = (name: string) => name.startsWith(".");

export function holdsFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes("Files") ?? false;
}

/** The dropped files, those inside dropped folders too. Nothing may be awaited before: then the transfer is empty. */
export async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const files = Array.from(transfer.files);
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter(
    (entry) => entry !== null,
  );
  if (!entries.some((entry) => entry.isDirectory)) return files;
  return (await Promise.all(entries.map(filesIn))).flat();
}

/** What a picked folder holds. */
export function visibleFiles(files: Iterable<File>): File[] {
  return Array.from(files).filter(
    ({ webkitRelativePath, name }) => !(webkitRelativePath || name).split("/").some(isHidden),
  );
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (isHidden(entry.name)) return [];
  if (entry.isFile) {
    return [
      await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
    ];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    // A folder is handed out in batches; an empty one is its end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (batch.length === 0) return found;
    found.push(...(await Promise.all(batch.map(filesIn))).flat());
  }
}

/** A text that was pasted, as a file. */
export function textFile(text: string, at: Date): File {
  const name = `pasted ${at.toISOString().slice(0, 19).replaceAll(":", "-")}.txt`;
  return new File([text], name, { type: "text/plain" });
}
