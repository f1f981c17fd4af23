/**
 * Reads documents in child processes, so that none of them can harm the worker (G11). A child that outlives its time,
 * its memory or its usefulness is killed; the next document gets a fresh one.
 */
import { createReadStream, lstatSync } from "node:fs";
import { join } from "node:path";
import type { Block, ExtractedPart, ExtractedText } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import type { ExtractedFile, ExtractionSinks, ExtractionSource, Extractor } from "../../ports/extractor.ts";
import { closedError, crashed, deathError, outOfMemory, tookTooLong } from "./child-errors.ts";
import {
  defaultChild,
  type ExtractionChild,
  emptyFolder,
  isRunning,
  removeFolder,
  residentBytes,
  residentLimit,
  setReferenced,
  startChild,
} from "./extraction-child.ts";
import { limits } from "./limits.ts";
import type { ChildMessage, ParentMessage } from "./protocol.ts";
import { mediaTypes } from "./registry.ts";
import { createSlots } from "./slots.ts";

export interface ProcessExtractorOptions {
  /** The longest that one document may take, the child's start included; each page read by OCR may take as long. */
  timeout_ms: number;
  /** V8's heap in each child, in MiB. All of a child's memory may be twice that, at least 256 MiB. */
  memory_mb: number;
  /** Languages in which pictures of text are read; none: they are not. Default English. */
  ocr_languages?: readonly string[];
  /** The most children at once; each reads one document at a time. */
  size: number;
  /** After so many documents a child is replaced, in case a library leaks. Default 200. */
  max_documents_per_child?: number;
  /** Path of the child's entry, for tests. Default: child.ts beside this file. */
  child_module?: string;
}

const CHECK_MEMORY_EVERY_MS = 100;
const STDERR_TAIL = 4_096;

interface Child extends ExtractionChild {
  busy: boolean;
  served: number;
  /** The end of what it wrote to stderr: V8 explains its death there. */
  stderr: string;
  /** What the child's messages and its end are for now. */
  job: Job | undefined;
}

interface Job {
  onMessage(message: ChildMessage): void;
  onEnd(code: number | null, signal: NodeJS.Signals | null): void;
  fail(error: (filename: string) => SluiceError): void;
}

/** Children start with the first document and stay warm. */
export function createProcessExtractor(options: ProcessExtractorOptions): Extractor {
  const { timeout_ms, memory_mb, ocr_languages = ["eng"], max_documents_per_child = 200 } = options;
  const childModule = options.child_module ?? defaultChild();
  const limitBytes = residentLimit(memory_mb);
  const slots = createSlots(options.size);
  const children = new Set<Child>();
  let closed = false;

  function start(): Child {
    const child: Child = {
      ...startChild(childModule, memory_mb),
      busy: true,
      served: 0,
      stderr: "",
      job: undefined,
    };
    children.add(child);
    child.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      child.stderr = (child.stderr + text).slice(-STDERR_TAIL);
    });
    child.process.on("message", (message: ChildMessage) => child.job?.onMessage(message));
    // `close` comes when stderr has been read to its end as well.
    child.process.on("close", (code, signal) => {
      children.delete(child);
      child.job?.onEnd(code, signal);
      if (!child.busy) removeFolder(child);
    });
    child.process.on("error", (error) => {
      const { job } = child;
      discard(child);
      job?.fail((filename) => crashed(filename, `could not be reached (${error.message})`, error));
    });
    return child;
  }

  function discard(child: Child): void {
    children.delete(child);
    child.job = undefined;
    child.process.kill("SIGKILL");
  }

  function run(
    child: Child,
    source: ExtractionSource,
    progress: (done: number, total: number | null) => void,
    signal: AbortSignal,
    sinks: ExtractionSinks,
  ): Promise<{ extracted: ExtractedText; files: ExtractedFile[] }> {
    const { filename } = source;
    return new Promise((resolve, reject) => {
      const files: ExtractedFile[] = [];
      let text: string[] = [];
      let blocks: Block[] = [];
      let length = 0;
      let storing = false;

      const end = () => {
        clearTimeout(timeout);
        clearInterval(memoryCheck);
        signal.removeEventListener("abort", onAbort);
        child.job = undefined;
      };
      const kill = (reason: unknown) => {
        end();
        discard(child);
        reject(reason);
      };
      const checkMemory = (rss: number | undefined) => {
        if (rss !== undefined && rss > limitBytes) kill(outOfMemory(filename, memory_mb));
      };
      const onAbort = () => kill(signal.reason);
      const onTimeout = () => {
        // Else it is the storage that takes its time.
        if (!storing) kill(tookTooLong(filename, timeout_ms));
      };
      const timeout = setTimeout(onTimeout, timeout_ms);
      const memoryCheck = setInterval(
        () => checkMemory(residentBytes(child.process.pid)),
        CHECK_MEMORY_EVERY_MS,
      );
      signal.addEventListener("abort", onAbort, { once: true });
      const takePart = async () => {
        if (storing) throw new Error("a part came before the one before was taken");
        storing = true;
        const part: ExtractedPart = { text: text.join(""), blocks };
        [text, blocks, length] = [[], [], 0];
        await sinks.part?.(part);
        storing = false;
        if (child.job !== job) return;
        // A long document is no hung one, as long as its parts come.
        timeout.refresh();
        tell(child, { type: "go_on" });
      };

      const job: Job = {
        onMessage(message) {
          switch (message.type) {
            case "text":
              text.push(message.text);
              length += message.text.length;
              if (length > limits.heldLength) {
                kill(crashed(filename, "told more than it may at once", undefined));
              }
              break;
            case "blocks":
              for (const block of message.blocks) blocks.push(block);
              break;
            case "part":
              takePart().catch((error: unknown) => {
                // Else the document has ended, and the child may be at work on another.
                if (child.job === job) kill(error);
              });
              break;
            case "file":
              try {
                files.push(fileInside(child.folder, message));
              } catch (error) {
                kill(crashed(filename, "told of a file inside that it did not write", error));
              }
              break;
            case "page":
              // A long scan is no hung document, as long as its pages come.
              timeout.refresh();
              try {
                sinks.pages?.keep(message.page, message.content);
              } catch (error) {
                kill(error);
              }
              break;
            case "memory":
              checkMemory(message.rss);
              break;
            case "progress":
              try {
                progress(message.done, message.total);
              } catch (error) {
                kill(error);
              }
              break;
            case "done": {
              if (storing) {
                kill(crashed(filename, "went on before its part was taken", undefined));
                break;
              }
              end();
              const { page_count, title, facts } = message;
              resolve({ extracted: { text: text.join(""), blocks, page_count, title, facts }, files });
              break;
            }
            case "error":
              end();
              reject(new SluiceError(message.code, message.message, { retryable: message.retryable }));
              break;
          }
        },
        onEnd(code, exitSignal) {
          end();
          reject(deathError(filename, memory_mb, child.stderr, code, exitSignal));
        },
        fail(error) {
          end();
          reject(error(filename));
        },
      };
      child.job = job;
      const kept = sinks.pages?.kept ?? new Map<number, string>();
      const [files_wanted, parts_wanted] = [sinks.file !== undefined, sinks.part !== undefined];
      tell(child, { ...source, type: "extract", ocr_languages, kept, files_wanted, parts_wanted });
    });
  }

  function tell({ process: child }: Child, message: ParentMessage): void {
    child.send(message, (error) => {
      // The end of the process, if it comes, tells more than the closed channel does.
      if (error !== null && child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    });
  }

  /** Leaves the child warm for the next document, or replaces it. */
  function settle(child: Child): void {
    child.busy = false;
    if (!children.has(child)) {
      removeFolder(child);
      return;
    }
    child.served++;
    // What one document has left in memory must not count against the next.
    const isHeavy = (residentBytes(child.process.pid) ?? 0) > limitBytes / 2;
    if (closed || child.served >= max_documents_per_child || isHeavy || !emptyFolder(child)) discard(child);
    else setReferenced(child, false);
  }

  return {
    media_types: mediaTypes,
    async extract(source, progress, signal, sinks = {}) {
      const release = await slots.take(signal);
      try {
        if (closed) throw closedError(source.filename);
        const child = [...children].find((each) => !each.busy && isRunning(each)) ?? start();
        child.busy = true;
        setReferenced(child, true);
        try {
          const { extracted, files } = await run(child, source, progress, signal, sinks);
          for (const file of files) {
            signal.throwIfAborted();
            await sinks.file?.(file);
          }
          return extracted;
        } finally {
          settle(child);
        }
      } finally {
        release();
      }
    },
    async close() {
      closed = true;
      const ends = [...children].map(
        (child) => new Promise((resolve) => child.process.once("close", resolve)),
      );
      for (const child of [...children]) {
        const { job } = child;
        setReferenced(child, true);
        discard(child);
        job?.fail(closedError);
      }
      await Promise.all(ends);
    },
  };
}

/** Of a hostile child nothing is believed: not the number, and not that there is such a file. */
function fileInside(folder: string, message: Extract<ChildMessage, { type: "file" }>): ExtractedFile {
  const path = join(folder, String(Math.trunc(Number(message.number))));
  const about = lstatSync(path);
  if (!about.isFile()) throw new Error(`${path} is no file`);
  return {
    filename: String(message.filename),
    media_type: message.media_type,
    size_bytes: about.size,
    content: () => createReadStream(path),
  };
}
