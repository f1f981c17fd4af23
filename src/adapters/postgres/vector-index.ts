/** VectorIndex on pgvector and tsvector, in the same database as everything else. */
import { passageOf } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import { chunkId } from "../../ids.ts";
import { ConflictError } from "../../ports/document-store.ts";
import type { IndexEntry, IndexHit, IndexScope, VectorIndex } from "../../ports/vector-index.ts";
import { namesOf } from "../keywords.ts";
import type { Connection } from "./connection.ts";
import { openVectors } from "./migrate.ts";
import { toJson } from "./values.ts";
import { toQueryWords, toTsvector } from "./words.ts";

interface Found {
  document_id: string;
  version: number;
  ordinal: number;
  score: number;
}

/** @param embedder_row number of this embedder's vector table; undefined where vectors are kept elsewhere */
export function createPostgresIndex(
  connection: Connection,
  embedder_id: string,
  embedder_row: number | undefined,
): VectorIndex {
  const { read, write } = connection;
  const filterOf = (scope: IndexScope) => (scope.filter === undefined ? null : toJson(scope.filter));

  return {
    embedder_id,
    async under(other) {
      if (other.embedder_id === embedder_id) return this;
      const row = embedder_row === undefined ? undefined : await openVectors(connection, other);
      return createPostgresIndex(connection, other.embedder_id, row);
    },

    async stage(entries, lease) {
      for (const [tenant_id, own] of Map.groupBy(entries, (entry) => entry.tenant_id)) {
        await write("SELECT $S.stage_1($1, $2, $3, $4, $5, $6)", [
          tenant_id,
          lease ? toJson({ job_id: lease.job_id, lease_token: lease.lease_token }) : null,
          toJson(own.map(({ chunk }) => chunk)),
          own.map((entry) =>
            toTsvector(tenant_id, passageOf(entry.chunk), entry.chunk.heading_path.join(" "), namesOf(entry)),
          ),
          embedder_row === undefined ? null : own.map(toVectorText),
          embedder_id,
        ]);
      }
    },
    async add(entries, lease) {
      for (const [tenant_id, own] of Map.groupBy(entries, (entry) => entry.tenant_id)) {
        await write("SELECT $S.add_vectors_1($1, $2, $3, $4, $5)", [
          tenant_id,
          lease ? toJson({ job_id: lease.job_id, lease_token: lease.lease_token }) : null,
          toJson(own.map(({ chunk }) => chunk)),
          embedder_row === undefined ? null : own.map(toVectorText),
          embedder_id,
        ]);
      }
    },
    async remove(tenant_id, document_id, version) {
      await write("SELECT $S.remove_entries_1($1, $2, $3)", [tenant_id, document_id, version]);
    },
    async nearest(scope, vector, limit) {
      if (!vector.some((value) => value !== 0)) return [];
      if (embedder_row === undefined) throw new Error("this index keeps words only");
      const values = [scope.tenant_id, scope.collection, filterOf(scope), `[${vector.join(",")}]`, limit];
      try {
        const rows = await read<Found>(
          `SELECT * FROM $S.nearest_${embedder_row}($1, $2, $3, $4, $5)`,
          values,
        );
        return rows.map(toHit);
      } catch (error) {
        if (!(error instanceof ConflictError) || error.reason !== "embedders") throw error;
        throw new SluiceError(
          "embedder_mismatch",
          `Searches go by vectors of another embedder here, not by those of ${embedder_id}.`,
        );
      }
    },
    async matching(scope, words, limit) {
      const wanted = toQueryWords(words);
      if (wanted.length === 0) return [];
      const rows = await read<Found>("SELECT * FROM $S.matching_2($1, $2, $3, $4, $5)", [
        scope.tenant_id,
        scope.collection,
        filterOf(scope),
        wanted,
        limit,
      ]);
      return rows.map(toHit);
    },
    // The connections belong to the storage, which closes them.
    close: async () => {},
  };
}

/** Text with nothing to embed has no direction, and so no place among neighbours. */
function toVectorText({ vector }: IndexEntry): string | null {
  return vector.some((value) => value !== 0) ? `[${vector.join(",")}]` : null;
}

function toHit({ document_id, version, ordinal, score }: Found): IndexHit {
  return { chunk_id: chunkId(document_id, version, ordinal), document_id, version, score };
}
