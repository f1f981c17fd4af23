/** What a collection has of its own: how its documents are cut. What it leaves open is as the server is set. Pure. */
import { z } from "zod";
import { type ChunkStrategy, chunkStrategies } from "./chunk.ts";

/** The least and the most that may be asked for, of a server as of a collection. */
export const chunkLimits = { max_tokens: [16, 8_192], overlap_tokens: [0, 1_024] } as const;

const within = ([low, high]: readonly [number, number]) => z.int().min(low).max(high);

const chunkFields = {
  strategy: z
    .enum(chunkStrategies)
    .nullable()
    .describe(
      "where chunks begin and end: `structure` along headings and paragraphs, `fixed` wherever they are full, `sentence` at the ends of sentences, `page` with the page",
    ),
  max_tokens: within(chunkLimits.max_tokens).nullable().describe("most tokens in a chunk"),
  overlap_tokens: within(chunkLimits.overlap_tokens)
    .nullable()
    .describe("tokens that a chunk repeats from the one before; at most half of max_tokens"),
  contextual_header: z
    .boolean()
    .nullable()
    .describe("whether a chunk is embedded with its document's title and its headings before it"),
};

/** As the API takes it: what is null or left out is as the server is set. */
export const collectionInputSchema = z.strictObject({
  chunking: z.strictObject(chunkFields).partial().nullish(),
});
export type CollectionInput = z.infer<typeof collectionInputSchema>;

/** As it is stored: only what the collection sets itself. */
export interface CollectionSettings {
  chunking: ChunkSettings;
}

export interface ChunkSettings {
  strategy?: ChunkStrategy;
  max_tokens?: number;
  overlap_tokens?: number;
  contextual_header?: boolean;
}

/** A collection as the API shows it. */
export const collectionViewSchema = z.object({
  collection: z.string(),
  documents: z.int().nonnegative().describe("how many it holds"),
  chunking: z.object(chunkFields).describe("what was set for it; null: as the server is set"),
  effective_chunking: z
    .object({
      strategy: z.enum(chunkStrategies),
      max_tokens: z.int(),
      overlap_tokens: z.int(),
      contextual_header: z.boolean(),
    })
    .describe("how documents that are ingested from now on are cut"),
  updated_at: z.iso.datetime().nullable().describe("when its settings were changed last; null: it has none"),
});
export type CollectionView = z.infer<typeof collectionViewSchema>;

export function toSettings({ chunking }: CollectionInput): CollectionSettings {
  const given = Object.entries(chunking ?? {}).filter(([, value]) => value !== null && value !== undefined);
  return { chunking: Object.fromEntries(given) as ChunkSettings };
}

export function toView(
  collection: string,
  documents: number,
  stored: { settings: CollectionSettings; updated_at: string } | undefined,
  server: ServerChunking,
): CollectionView {
  const own = stored?.settings.chunking ?? {};
  const { max_tokens, overlap_tokens, strategy, contextual_header } = resolveChunking(server, own);
  return {
    collection,
    documents,
    chunking: {
      strategy: own.strategy ?? null,
      max_tokens: own.max_tokens ?? null,
      overlap_tokens: own.overlap_tokens ?? null,
      contextual_header: own.contextual_header ?? null,
    },
    effective_chunking: {
      strategy: strategy ?? "structure",
      max_tokens,
      overlap_tokens,
      contextual_header: contextual_header ?? false,
    },
    updated_at: stored?.updated_at ?? null,
  };
}

/** How a server cuts the documents of collections that set nothing themselves. */
export interface ServerChunking extends ChunkSettings {
  max_tokens: number;
  overlap_tokens: number;
}

/**
 * The server's options under what a collection sets itself. An overlap that only the server asks for gives way where it
 * would be more than half of the collection's chunks.
 */
export function resolveChunking<Options extends ServerChunking>(
  server: Options,
  own: ChunkSettings,
): Options & ServerChunking {
  const options = { ...server, ...own };
  const overlap_tokens =
    own.overlap_tokens ?? Math.min(server.overlap_tokens, Math.floor(options.max_tokens / 2));
  return { ...options, overlap_tokens };
}

/** What is wrong with settings on a server that is set so; undefined: nothing. */
export function chunkingTrouble(server: ServerChunking, own: ChunkSettings): string | undefined {
  const { max_tokens, overlap_tokens } = resolveChunking(server, own);
  if (own.overlap_tokens === undefined || overlap_tokens <= max_tokens / 2) return undefined;
  const whose = own.max_tokens === undefined ? ", the server's own" : "";
  return `chunking.overlap_tokens: ${overlap_tokens} is more than half of max_tokens (${max_tokens}${whose}).`;
}
