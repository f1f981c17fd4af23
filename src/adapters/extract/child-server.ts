/** The child's end of the channel: reads one document after another and sends each back in pieces. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExtractedPart, ExtractedText } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import type { ExtractionSource, PageCache } from "../../ports/extractor.ts";
import { filesInside } from "./inside.ts";
import type { ChildMessage, ExtractRequest, ParentMessage } from "./protocol.ts";

/** Messages stay small, so that neither side ever holds a giant one beside the document itself. */
const TEXT_PIECE = 256 * 1024;
const BLOCK_PIECE = 2_000;
const PROGRESS_EVERY_MS = 50;
const MEMORY_EVERY_MS = 100;

type Read = (
  source: ExtractionSource,
  progress: (done: number, total: number | null) => void,
  options: {
    ocr_languages: readonly string[];
    pages: PageCache;
    part?: (part: ExtractedPart) => Promise<void>;
  },
) => Promise<ExtractedText>;

/**
 * Serves the parent until it goes away, then ends this process.
 * @param folder the only place that it may write to
 */
export function serveExtraction(read: Read, folder: string): void {
  process.on("disconnect", () => {
    // Who made it is gone.
    rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  });
  process.on("message", (message: ParentMessage) => {
    if (message.type === "extract") void answer(read, message, folder);
  });
  if (process.platform !== "linux") {
    setInterval(() => send({ type: "memory", rss: process.memoryUsage.rss() }), MEMORY_EVERY_MS).unref();
  }
}

async function answer(read: Read, request: ExtractRequest, folder: string): Promise<void> {
  try {
    const { ocr_languages, kept, parts_wanted } = request;
    const keep = (page: number, content: string) => void send({ type: "page", page, content });
    const extracted = await read(request, throttled(), {
      ocr_languages,
      pages: { kept, keep },
      ...(parts_wanted ? { part: sendPart } : {}),
    });
    const { page_count, title, facts = {} } = extracted;
    await sendPieces(extracted);
    let number = 0;
    for (const file of request.files_wanted ? filesInside(extracted, request.filename) : []) {
      writeFileSync(join(folder, String(number)), file.bytes);
      await send({ type: "file", filename: file.filename, media_type: file.media_type, number });
      number++;
    }
    await send({ type: "done", page_count, title, facts });
  } catch (error) {
    await send(errorMessage(error, request.filename));
  }
}

/** Each piece waits for the one before to be written: a queue of them all would be the giant message again. */
async function sendPieces({ text, blocks }: ExtractedPart): Promise<void> {
  for (let at = 0; at < text.length; at += TEXT_PIECE) {
    await send({ type: "text", text: text.slice(at, at + TEXT_PIECE) });
  }
  for (let at = 0; at < blocks.length; at += BLOCK_PIECE) {
    await send({ type: "blocks", blocks: blocks.slice(at, at + BLOCK_PIECE) });
  }
}

/** Resolves when the parent has taken it. */
async function sendPart(part: ExtractedPart): Promise<void> {
  const taken = new Promise<void>((resolve) => {
    const onMessage = ({ type }: ParentMessage) => {
      if (type !== "go_on") return;
      process.off("message", onMessage);
      resolve();
    };
    process.on("message", onMessage);
  });
  await sendPieces(part);
  await send({ type: "part" });
  await taken;
}

function throttled(): (done: number, total: number | null) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (done, total) => {
    const now = performance.now();
    if (now - last < PROGRESS_EVERY_MS && done !== total) return;
    last = now;
    void send({ type: "progress", done, total });
  };
}

function errorMessage(error: unknown, filename: string): ChildMessage {
  if (error instanceof SluiceError) {
    const { code, message, retryable } = error;
    return { type: "error", code, message, retryable };
  }
  const reason = error instanceof Error ? error.message : String(error);
  // What V8 throws instead of dying when one string or buffer gets too large.
  if (
    /invalid (string|array|typed array) length|allocation failed|failed to allocate|unable to grow|\bOOM\b|longer than 0x/i.test(
      reason,
    )
  ) {
    return {
      type: "error",
      code: "extraction_out_of_memory",
      message: `${filename} is too large to be read in one piece (${reason}). Split it and upload the parts.`,
      retryable: false,
    };
  }
  return {
    type: "error",
    code: "extraction_crashed",
    message: `The reader of ${filename} failed (${reason}). If it fails again, report it with the file.`,
    retryable: true,
  };
}

/** Resolves when the message is written. A parent that has gone needs no answer: `disconnect` ends this process. */
function send(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}
