/** `sluice collections list | show | set | reset | reingest`. */
import { chunkStrategies } from "../chunk.ts";
import type { CollectionInput, CollectionView } from "../collection.ts";
import { loadConfig } from "../config/config.ts";
import { SluiceError } from "../errors.ts";
import { type Client, createClient, pagesOf } from "./client.ts";
import { counted, type OutputOptions, print, printable, printJson, table, UsageError } from "./output.ts";

type Chunking = NonNullable<CollectionInput["chunking"]>;

/** What an option says for "as the server is set". */
const DEFAULT = "default";
const PAGE = 200;

export interface SetCollectionOptions extends OutputOptions {
  strategy?: string;
  maxTokens?: string;
  overlapTokens?: string;
  contextualHeader?: string;
}

export async function listCollections({ json }: OutputOptions): Promise<void> {
  const client = connect();
  const found: CollectionView[] = [];
  for await (const page of pagesOf((start) => client.listCollections({ limit: PAGE, ...start }))) {
    found.push(...page.collections);
  }
  if (json) {
    for (const collection of found) printJson(collection);
    return;
  }
  if (found.length === 0) {
    process.stderr.write("No collections: `sluice ingest --collection NAME` makes one.\n");
    return;
  }
  const rows = found.map((each) => [
    each.collection,
    String(each.documents),
    ...settingsOf(each).map(([, value, own]) => (own ? `${value}*` : value)),
  ]);
  const headings = ["COLLECTION", "DOCUMENTS", "STRATEGY", "MAX TOKENS", "OVERLAP", "HEADER"];
  print(table(headings, rows));
  const any = found.some((each) => settingsOf(each).some(([, , own]) => own));
  if (any) process.stderr.write("* set for the collection; everything else is as the server is set.\n");
}

export async function showCollection(name: string, options: OutputOptions): Promise<void> {
  report(await connect().getCollection(name), options);
}

/** Changes what the options name, and leaves the rest as it is. */
export async function setCollection(name: string, options: SetCollectionOptions): Promise<void> {
  const { strategy, maxTokens, overlapTokens, contextualHeader, json } = options;
  const change: Chunking = {
    ...(strategy === undefined ? {} : { strategy: strategyOf(strategy) }),
    ...(maxTokens === undefined ? {} : { max_tokens: tokensOf("--max-tokens", maxTokens) }),
    ...(overlapTokens === undefined ? {} : { overlap_tokens: tokensOf("--overlap-tokens", overlapTokens) }),
    ...(contextualHeader === undefined ? {} : { contextual_header: switchOf(contextualHeader) }),
  };
  if (Object.keys(change).length === 0) {
    throw new UsageError(
      `What is to be set? Name --strategy, --max-tokens, --overlap-tokens or --contextual-header; \`sluice collections reset ${name}\` takes all back.`,
    );
  }
  const client = connect();
  const before = await known(client, name);
  const set = await client.putCollection(name, { chunking: { ...before?.chunking, ...change } });
  report(set, { json });
  if (!json && set.documents > 0) process.stderr.write(`${forThoseThere(set)}\n`);
}

export async function resetCollection(name: string, { json }: OutputOptions): Promise<void> {
  await connect().deleteCollection(name);
  if (json) printJson({ collection: name, reset: true });
  else print(`${name} is as the server is set, for documents ingested from now on.`);
}

/** Every document of the collection, those that came inside others too: each is cut as the collection is set now. */
export async function reingestCollection(name: string, { json }: OutputOptions): Promise<void> {
  const client = connect();
  await client.getCollection(name);
  const sum = { queued: 0, under_way: 0, gone: 0 };
  const pages = pagesOf((start) => client.listDocuments({ collection: name, limit: PAGE, ...start }));
  for await (const page of pages) {
    for (const { document_id } of page.documents) {
      const accepted = await unlessGone(client.reingest(document_id));
      if (accepted === undefined) sum.gone += 1;
      else if (accepted.duplicate) sum.under_way += 1;
      else sum.queued += 1;
    }
  }
  if (json) {
    printJson({ collection: name, ...sum });
    return;
  }
  const running =
    sum.under_way === 0
      ? ""
      : ` ${counted(sum.under_way, "document")} passed over: an ingestion is under way; say it again when it has ended.`;
  print(`${counted(sum.queued, "document")} of ${name} will be ingested again.${running}`);
}

function connect(): Client {
  return createClient(loadConfig().client);
}

async function known(client: Client, name: string): Promise<CollectionView | undefined> {
  return unlessGone(client.getCollection(name));
}

async function unlessGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof SluiceError && error.code === "not_found") return undefined;
    throw error;
  }
}

/** Name, value in force, and whether it is the collection's own. */
function settingsOf({ chunking, effective_chunking: now }: CollectionView): [string, string, boolean][] {
  return [
    ["strategy", now.strategy, chunking.strategy !== null],
    ["max tokens", String(now.max_tokens), chunking.max_tokens !== null],
    ["overlap", String(now.overlap_tokens), chunking.overlap_tokens !== null],
    ["header", now.contextual_header ? "on" : "off", chunking.contextual_header !== null],
  ];
}

function report(collection: CollectionView, { json }: OutputOptions): void {
  if (json) {
    printJson(collection);
    return;
  }
  const lines: [string, string][] = [
    ["collection", collection.collection],
    ["documents", String(collection.documents)],
    ...settingsOf(collection).map(([name, value, own]): [string, string] => [
      name,
      own ? value : `${value} (the server's)`,
    ]),
  ];
  print(lines.map(([name, value]) => `${name.padEnd(12)}${printable(value)}`).join("\n"));
}

function forThoseThere({ collection, documents }: CollectionView): string {
  return `It holds for documents ingested from now on. \`sluice collections reingest ${collection}\` applies it to ${documents === 1 ? "the one" : `the ${documents}`} already there.`;
}

function strategyOf(text: string): Chunking["strategy"] {
  if (text === DEFAULT) return null;
  const found = chunkStrategies.find((strategy) => strategy === text);
  if (found) return found;
  throw new UsageError(`--strategy: it is one of ${chunkStrategies.join(", ")} or ${DEFAULT}, not ${text}.`);
}

/** The server knows the limits. */
function tokensOf(option: string, text: string): number | null {
  if (text === DEFAULT) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`${option}: it is a whole number or ${DEFAULT}, not ${text}.`);
}

function switchOf(text: string): boolean | null {
  if (text === DEFAULT) return null;
  if (text === "on" || text === "off") return text === "on";
  throw new UsageError(`--contextual-header: it is on, off or ${DEFAULT}, not ${text}.`);
}
