/**
 * What a language model can do with Sluice, by the Model Context Protocol (https://modelcontextprotocol.io). Each tool
 * is a call of the API under the caller's key, so it sees and changes what that key's tenant may, and nothing else.
 */
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { SluiceClient } from "../client/index.ts";
import { collectionSchema, type Document, documentStatusSchema, metadataSchema } from "../document.ts";
import { searchFilterSchema } from "../filter.ts";
import { placeOf } from "../search/place.ts";
import type { SearchHit } from "../search/search.ts";

/** Characters around a passage, unless the model asks for more. */
const AROUND = 1_500;
/** The most characters of a document in one answer: what a model can take in at once. */
const MAX_CHARACTERS = 100_000;
/** How long `add_document` waits for its document to be searchable. */
const WAIT_MS = 60_000;

const documentId = z.string().describe("as search and list_documents tell it: doc_…");

export function createMcpServer(sluice: SluiceClient, version: string): McpServer {
  const server = new McpServer(
    { name: "sluice", version },
    {
      instructions:
        "Documents of the user's organisation. search finds passages and says where each stands; fetch_passage reads more around one; cite file name and place.",
    },
  );

  server.registerTool(
    "search",
    {
      title: "Search documents",
      description:
        "Finds passages by meaning and by words. Each comes with its document, place (page, sheet, rows), headings and character offsets, which fetch_passage takes.",
      inputSchema: z.object({
        query: z.string().min(1).max(2_000).describe("a question, or words"),
        top_k: z.int().min(1).max(50).default(8),
        collection: collectionSchema.optional(),
        mode: z.enum(["hybrid", "vector", "keyword"]).default("hybrid"),
        filter: searchFilterSchema
          .optional()
          .describe("conditions on metadata, title, author, authored_at, modified_at, language, page_count"),
        whole_sections: z.boolean().default(false).describe("answer with the section around each passage"),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ whole_sections, ...request }, { mcpReq }) =>
      answering(async () => {
        const { hits } = await sluice.search(
          { ...request, ...(whole_sections ? { expand: "section" as const } : {}) },
          { signal: mcpReq.signal },
        );
        const text = hits.map(describeHit).join("\n\n");
        return { text: text === "" ? "No passage fits." : text, data: { hits } };
      }),
  );

  server.registerTool(
    "fetch_passage",
    {
      title: "Read a passage",
      description: `Reads a stretch of a document's text and what stands around it; without offsets, its beginning. At most ${MAX_CHARACTERS} characters.`,
      inputSchema: z.object({
        document_id: documentId,
        char_start: z.int().nonnegative().default(0),
        char_end: z.int().nonnegative().optional().describe("default: char_start"),
        around: z.int().min(0).max(50_000).default(AROUND).describe("characters on each side"),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ document_id, char_start, char_end = char_start, around }, { mcpReq }) =>
      answering(async () => {
        const { signal } = mcpReq;
        const from = Math.max(0, char_start - around);
        const to = Math.min(char_end + around, from + MAX_CHARACTERS);
        const [document, text] = await Promise.all([
          sluice.getDocument(document_id, { signal }),
          sluice.getText(document_id, { char_start: from, char_end: to }, { signal }),
        ]);
        const place = { char_start: from, char_end: from + text.length };
        return {
          text: `${document.filename}, characters ${from} to ${place.char_end}:\n\n${text}`,
          data: { document_id, filename: document.filename, ...place, text },
        };
      }),
  );

  server.registerTool(
    "list_documents",
    {
      title: "List documents",
      description: "Documents with their status, newest first.",
      inputSchema: z.object({
        collection: collectionSchema.optional(),
        status: documentStatusSchema.optional(),
        limit: z.int().min(1).max(200).default(50),
        cursor: z.string().optional().describe("next_cursor of the answer before"),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (query, { mcpReq }) =>
      answering(async () => {
        const page = await sluice.listDocuments(query, { signal: mcpReq.signal });
        const lines = page.documents.map(describeDocument);
        if (page.next_cursor !== null) lines.push(`More with cursor ${page.next_cursor}`);
        return { text: lines.length === 0 ? "No documents." : lines.join("\n"), data: { ...page } };
      }),
  );

  server.registerTool(
    "get_document",
    {
      title: "Look at one document",
      description: "Its status, what it says of itself, and why it failed where it did.",
      inputSchema: z.object({ document_id: documentId }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ document_id }, { mcpReq }) =>
      answering(async () => {
        const document = await sluice.getDocument(document_id, { signal: mcpReq.signal });
        return { text: describeDocument(document), data: { document } };
      }),
  );

  server.registerTool(
    "add_document",
    {
      title: "Add a document",
      description:
        "Stores a document and makes it searchable: its text, or the bytes of a file as base64. The same bytes again make no second document.",
      inputSchema: z.object({
        filename: z.string().min(1).max(255).describe("its ending says what it is: notes.md, report.pdf"),
        text: z.string().optional(),
        base64: z.base64().optional().describe("instead of text"),
        collection: collectionSchema.optional(),
        metadata: metadataSchema.optional(),
        wait: z.boolean().default(true).describe("until it is searchable, a minute at most"),
      }),
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      },
    },
    ({ filename, text, base64, collection, metadata, wait }, { mcpReq }) =>
      answering(async () => {
        if ((text === undefined) === (base64 === undefined)) {
          throw new Error("Give either text or base64.");
        }
        const bytes = base64 === undefined ? Buffer.from(text as string) : Buffer.from(base64, "base64");
        const { signal } = mcpReq;
        const accepted = await sluice.upload(bytes, { filename, collection, metadata, signal });
        const { document_id } = accepted;
        const document = wait ? await waitFor(sluice, document_id, signal) : undefined;
        return {
          text: document
            ? describeDocument(document)
            : `${filename} was accepted as ${document_id}; get_document tells when it is searchable.`,
          data: { ...accepted, ...(document ? { document } : {}) },
        };
      }),
  );

  server.registerResource(
    "document",
    new ResourceTemplate("sluice://documents/{document_id}", {
      list: async ({ mcpReq }) => {
        const { documents } = await sluice.listDocuments(
          { status: "completed", limit: 100 },
          { signal: mcpReq.signal },
        );
        return {
          resources: documents.map(({ document_id, filename, about }) => ({
            uri: `sluice://documents/${document_id}`,
            name: filename,
            mimeType: "text/plain",
            ...(about.title === null ? {} : { title: about.title }),
          })),
        };
      },
    }),
    { title: "A document's text", description: `The first ${MAX_CHARACTERS} characters.` },
    async (uri, { document_id }, { mcpReq }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: "text/plain",
          text: await sluice.getText(
            String(document_id),
            { char_start: 0, char_end: MAX_CHARACTERS },
            { signal: mcpReq.signal },
          ),
        },
      ],
    }),
  );

  return server;
}

/** @returns undefined when it takes longer than a model should wait @throws ApiError for what it failed of */
async function waitFor(
  sluice: SluiceClient,
  document_id: string,
  signal: AbortSignal,
): Promise<Document | undefined> {
  const enough = AbortSignal.timeout(WAIT_MS);
  try {
    return await sluice.waitUntilSearchable(document_id, { signal: AbortSignal.any([signal, enough]) });
  } catch (error) {
    if (enough.aborted && !signal.aborted) return undefined;
    throw error;
  }
}

/** A refusal is an answer that the model can act on, not a broken call. */
async function answering(run: () => Promise<{ text: string; data: Record<string, unknown> }>) {
  try {
    const { text, data } = await run();
    return { content: [{ type: "text" as const, text }], structuredContent: data };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { content: [{ type: "text" as const, text: message }], isError: true };
  }
}

function describeHit(hit: SearchHit, index: number): string {
  const place = [placeOf(hit), hit.heading_path.join(" › ")].filter(Boolean).join(" · ");
  const where = `${hit.document_id}, characters ${hit.char_start} to ${hit.char_end}`;
  const head = `${index + 1}. ${hit.filename}${place === "" ? "" : ` · ${place}`} (${where})`;
  return [head, ...(hit.header === null ? [] : [hit.header]), hit.section?.text ?? hit.text].join("\n");
}

function describeDocument({ document_id, filename, status, error, about, chunks_created }: Document): string {
  const facts = [about.title, about.author, about.language].filter((fact) => fact !== null);
  const state = status === "failed" && error !== null ? `failed: ${error.message}` : status;
  return `${filename} (${document_id}): ${[state, `${chunks_created} passages`, ...facts].join(" · ")}`;
}
