/** Which embedder's vectors the index is searched by, and which is to take its place. */
export interface EmbeddersInForce {
  /** Searches go by its vectors. Null while nothing was indexed: whatever is indexed first decides. */
  serving: string | null;
  /** A reindex is under way: this one serves as soon as every searchable document has its vectors. Else null. */
  target: string | null;
}

export interface RegisteredEmbedders extends EmbeddersInForce {
  /** ISO 8601: since when there is a target; null without one. */
  began_at: string | null;
  /** Documents with ids up to this one have got the job that embeds them anew; null before the first has. */
  listed_to: string | null;
  /** Served, or were to, and don't any more: their vectors are to be removed. */
  retired: string[];
}

export interface LackingDocument {
  tenant_id: string;
  document_id: string;
}

/**
 * What is known of the index's embedders, in the same database as the documents and one for the whole installation:
 * processes whose settings differ act alike. Documents come in through `Commit.indexed`.
 */
export interface EmbedderRegister {
  read(): Promise<RegisteredEmbedders>;
  /**
   * Makes this embedder the target. When it is already, its documents are listed from the beginning again. It is not
   * retired any more.
   * MUST refuse with ConflictError `embedders` while there is another target.
   */
  begin(embedder_id: string, began_at: string): Promise<void>;
  /** Documents up to this id have got their jobs. MUST change nothing when this is not the target. */
  listed(embedder_id: string, document_id: string): Promise<void>;
  /** Searchable documents without complete vectors of this embedder, of all tenants, by ascending id, `from` included. */
  lacking(embedder_id: string, from: string, limit: number): Promise<LackingDocument[]>;
  /** How many documents are searchable, and how many of them lack vectors of this embedder. */
  count(embedder_id: string): Promise<{ documents: number; lacking: number }>;
  /**
   * The target becomes the one that serves, and the one that did is retired, in one transaction in which no searchable
   * document lacks vectors of the target: MUST change nothing otherwise.
   * @returns whether it serves now
   */
  finish(embedder_id: string): Promise<boolean>;
  /** Retires the target; what serves goes on serving. @returns whether it was the target */
  cancel(embedder_id: string): Promise<boolean>;
  /**
   * Removes some of what retired embedders left, about `limit` rows, in one short transaction. A version MUST NOT count
   * as complete under an embedder once a vector of it was removed.
   * @returns whether there may be more
   */
  removeRetired(limit: number): Promise<boolean>;
}
