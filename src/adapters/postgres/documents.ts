/** DocumentStore on PostgreSQL. */
import type { DocumentStatus, DocumentVersion } from "../../document.ts";
import { countsOf, directionOf, textPattern } from "../../document-list.ts";
import { SluiceError } from "../../errors.ts";
import { type SluiceEvent, stages } from "../../events.ts";
import type { Lease } from "../../job.ts";
import type {
  Checkpoint,
  Commit,
  DocumentSelection,
  DocumentStore,
  IdempotentAnswer,
  LocatedChunk,
  Settlement,
} from "../../ports/document-store.ts";
import type { Clock } from "./clock.ts";
import { createPostgresCollections } from "./collections.ts";
import type { Connection } from "./connection.ts";
import type { Doorbell } from "./doorbell.ts";
import { createPostgresEmbedders } from "./embedders.ts";
import { type Row, toBase64, toChunk, toDocument, toJson, toText, toVector } from "./values.ts";

export interface StoreParts {
  connection: Connection;
  doorbell: Doorbell;
  clock: Clock;
  /** Whether jobs that become ready are to be told to a broker. */
  dispatch: boolean;
}

export function createPostgresDocuments(parts: StoreParts, close: () => Promise<void>): DocumentStore {
  const { connection, doorbell, clock, dispatch } = parts;
  const { read, write } = connection;
  const one = async <R>(text: string, values: unknown[]) => (await read<R>(text, values))[0];

  async function commit(commits: Commit[]): Promise<number> {
    const values = [
      toJson(commits.map((each) => toHead(each, clock.now()))),
      commits.map(({ chunks }) => (chunks ? toJson(chunks) : null)),
      commits.map(({ embeddings }) =>
        embeddings
          ? toJson(embeddings.vectors.map(({ ordinal, vector }) => ({ ordinal, vector: toBase64(vector) })))
          : null,
      ),
      clock.forDatabase(),
      dispatch,
    ];
    const call = "SELECT $S.commit_1($1, $2::json[], $3::json[], $4, $5) AS sequence";
    let sequence: number;
    try {
      [{ sequence }] = (await write(call, values)) as [{ sequence: number }];
    } catch (error) {
      const settled = await afterAll(commits, error);
      if (settled === undefined) throw error;
      sequence = settled;
    }
    if (sequence > 0) doorbell.rung("events");
    if (commits.some((each) => each.cancel_job || each.redrive_job || each.settle || each.enqueue)) {
      doorbell.rung("jobs");
    }
    return sequence;
  }

  /** A connection that broke in the middle of a commit doesn't say whether it happened: its last event does. */
  async function afterAll(commits: Commit[], error: unknown): Promise<number | undefined> {
    if (!(error instanceof SluiceError) || error.code !== "storage_unavailable") return undefined;
    const event = commits.flatMap(({ events }) => events ?? []).at(-1);
    if (!event) return undefined;
    try {
      const found = await one<{ sequence: number }>("SELECT * FROM $S.find_event_1($1, $2, $3) AS sequence", [
        event.tenant_id,
        event.document_id,
        event.event_id,
      ]);
      return found?.sequence;
    } catch {
      // Still away: the first error is the one to tell.
      return undefined;
    }
  }

  return {
    embedders: createPostgresEmbedders(connection),
    collections: createPostgresCollections(connection),
    commit,

    async getDocument(tenant_id, document_id) {
      const row = await one<Row>("SELECT * FROM $S.get_document_1($1, $2)", [tenant_id, document_id]);
      return row && toDocument(row);
    },
    async findByContent(tenant_id, collection, sha256) {
      const row = await one<Row>("SELECT * FROM $S.find_by_content_1($1, $2, $3)", [
        tenant_id,
        collection,
        sha256,
      ]);
      return row && toDocument(row);
    },
    async listDocuments({ sort = "created_at", order, before, limit, ...selection }) {
      const rows = await read<Row>(
        "SELECT * FROM $S.list_documents_4($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
          ...selectors(selection),
          sort,
          directionOf(sort, order) === 1,
          before && toText(String(before.value)),
          before?.document_id,
          limit,
        ],
      );
      return rows.map(toDocument);
    },
    async summarizeDocuments(selection) {
      return countsOf(
        await read<{ status: DocumentStatus; media_type: string; documents: number }>(
          "SELECT * FROM $S.summarize_documents_1($1, $2, $3, $4, $5, $6, $7)",
          selectors(selection),
        ),
      );
    },
    listVersions: (tenant_id, document_id) =>
      read<DocumentVersion>("SELECT * FROM $S.list_versions_1($1, $2)", [tenant_id, document_id]),
    async listCheckpoints(tenant_id, document_id, version) {
      const rows = await read<Checkpoint>("SELECT * FROM $S.list_checkpoints_1($1, $2, $3)", [
        tenant_id,
        document_id,
        version,
      ]);
      return stages.flatMap((stage) => rows.filter((row) => row.stage === stage));
    },
    async listChunks(tenant_id, document_id, version, from, limit) {
      const rows = await read<Row & { vector: Uint8Array | null; embedder_id: string | null }>(
        "SELECT (chunk).*, vector, embedder_id FROM $S.list_chunks_2($1, $2, $3, $4, $5)",
        [tenant_id, document_id, version, from, limit],
      );
      return rows.map(({ vector, embedder_id, ...row }) => ({
        ...toChunk(row),
        vector: vector && toVector(vector),
        embedder_id,
      }));
    },
    async firstUnembedded(tenant_id, document_id, version, embedder_id) {
      const row = await one<{ ordinal: number | null }>(
        "SELECT * FROM $S.first_unembedded_1($1, $2, $3, $4) AS ordinal",
        [tenant_id, document_id, version, embedder_id],
      );
      return row?.ordinal ?? null;
    },
    async locateChunks(tenant_id, chunk_ids) {
      const places = chunk_ids.flatMap((chunk_id) => {
        const place = /^chk_([0-9a-f]{32})_(\d{1,9})_(\d{1,9})$/.exec(chunk_id);
        return place
          ? [{ document_id: `doc_${place[1]}`, version: Number(place[2]), ordinal: Number(place[3]) }]
          : [];
      });
      const rows = await read<{ chunk: Row; document: Row }>(
        "SELECT * FROM $S.locate_chunks_1($1, $2, $3, $4)",
        [
          tenant_id,
          places.map(({ document_id }) => document_id),
          places.map(({ version }) => version),
          places.map(({ ordinal }) => ordinal),
        ],
      );
      return rows.map(
        ({ chunk, document }): LocatedChunk => ({ chunk: toChunk(chunk), document: toDocument(document) }),
      );
    },
    async findAnswer(tenant_id, key) {
      const row = await one<IdempotentAnswer & { tenant_id: string }>(
        "SELECT * FROM $S.find_answer_1($1, $2)",
        [tenant_id, key],
      );
      if (!row) return undefined;
      const { tenant_id: _, ...answer } = row;
      return answer;
    },

    readEvents: ({ after, limit, tenant_id, document_id, correlation_id, collection }) =>
      read<SluiceEvent>("SELECT * FROM $S.read_events_1($1, $2, $3, $4, $5, $6)", [
        after,
        limit,
        tenant_id,
        document_id,
        correlation_id,
        collection,
      ]),
    async lastSequence() {
      const row = await one<{ last: number }>("SELECT last FROM $S.event_bound_1()", []);
      return row?.last ?? 0;
    },
    watchEvents: (listener) => doorbell.listen("events", listener),

    async getCursor(name) {
      const row = await one<{ sequence: number }>("SELECT sequence FROM $S.cursors WHERE name = $1", [name]);
      return row?.sequence ?? 0;
    },
    async saveCursor(name, sequence) {
      await write(
        `INSERT INTO $S.cursors AS c VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET sequence = greatest(c.sequence, excluded.sequence)`,
        [name, sequence],
      );
    },
    async hold(name, until) {
      await write(
        `INSERT INTO $S.holds AS h VALUES ($1, $S.now_ms($3) + $2::bigint)
         ON CONFLICT (name) DO UPDATE SET until = greatest(h.until, excluded.until)`,
        [name, Math.round(until - clock.now()), clock.forDatabase()],
      );
    },
    async heldUntil(name) {
      const row = await one<{ remaining: number }>(
        "SELECT until - $S.now_ms($2) AS remaining FROM $S.holds WHERE name = $1",
        [name, clock.forDatabase()],
      );
      return row ? clock.now() + row.remaining : 0;
    },
    async lead(task, holder, ms) {
      const [row] = await write<{ has: boolean }>("SELECT $S.lead_1($1, $2, $3, $4) AS has", [
        task,
        holder,
        ms,
        clock.forDatabase(),
      ]);
      return row?.has === true;
    },

    async referencedBlobs(keys) {
      const rows = await read<{ key: string }>("SELECT * FROM $S.referenced_blobs_1($1) AS key", [keys]);
      return new Set(rows.map(({ key }) => key));
    },
    async condemnBlobs(keys) {
      const rows = await write<{ key: string }>("SELECT * FROM $S.condemn_blobs_1($1) AS key", [keys]);
      return rows.map(({ key }) => key);
    },
    close,
  };
}

/** A commit as the function takes it: without what goes in beside it. */
function toHead(
  { chunks: _, embeddings, lease, settle, ...rest }: Commit,
  now: number,
): Record<string, unknown> {
  if (rest.checkpoint && !rest.document) throw new Error("a checkpoint needs its document in the commit");
  if (settle && !lease) throw new Error("settling a job needs its lease in the commit");
  return {
    ...rest,
    lease,
    ...(settle && lease ? { settle: [toSettlement(lease, settle, now)] } : {}),
    ...(embeddings ? { embeddings: { ...embeddings, vectors: undefined } } : {}),
  };
}

/** @param now by the same clock as the settlement's times, which become delays: the database has a clock of its own */
export function toSettlement({ job_id, lease_token }: Lease, settle: Settlement, now: number) {
  const error = "error" in settle ? settle.error : null;
  const delay_ms = settle.state === "retrying" ? Math.round(settle.run_at - now) : null;
  const counts = settle.state === "retrying" ? (settle.counts ?? true) : true;
  return { job_id, lease_token, state: settle.state, error, delay_ms, counts };
}

/** As the functions take them. */
function selectors(selection: DocumentSelection): unknown[] {
  const { tenant_id, collection, statuses, media_type, text, parent_document_id, filter } = selection;
  return [
    tenant_id,
    collection,
    statuses,
    media_type,
    text === undefined ? null : textPattern(toText(text)),
    parent_document_id,
    filter === undefined ? null : toJson(filter),
  ];
}
