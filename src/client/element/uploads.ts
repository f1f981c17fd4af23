/** The files of one element, from the hand that chose them until searches find them. */
import { ApiError } from "../api-error.ts";
import type { Client } from "../client.ts";
import type { Accepted } from "../documents.ts";
import type { UploadFields } from "../upload-fields.ts";
import { createFollower } from "./follower.ts";
import { applyEvent, begun, type Failure, isActive, newRow, type Row } from "./row.ts";
import type { View } from "./view.ts";

const AT_ONCE = 3;

/** Detail of `sluice-failed`. */
export interface UploadFailure extends Failure {
  filename: string;
  /** Null where the file was never accepted. */
  document_id: string | null;
}

export interface Uploads {
  /** @param refused why not, where a file is not even to be sent */
  add(file: File, refused: Failure | null): void;
  stop(): void;
}

export function createUploads(
  client: Client,
  fields: UploadFields,
  view: View,
  emit: (type: string, detail: unknown) => void,
): Uploads {
  const stopping = new AbortController();
  const { signal } = stopping;
  const follower = createFollower(client, fields.collection ?? "default");
  const waiting: (() => Promise<void>)[] = [];
  let sending = 0;

  function pump(): void {
    while (sending < AT_ONCE && !signal.aborted) {
      const next = waiting.shift();
      if (!next) return;
      sending++;
      void next().finally(() => {
        sending--;
        pump();
      });
    }
  }

  function add(file: File, refused: Failure | null): void {
    let row: Row = newRow(file.name, file.size);
    let unfollow = () => {};
    /** Whether it was the ingestion that ended, and not only the knowing of it. */
    let ended = false;
    const rowView = view.addRow({ retry, remove: () => rowView.remove() });
    const change = (next: Row) => {
      row = next;
      rowView.draw(row);
    };

    function fail(thrown: unknown): void {
      if (signal.aborted) return;
      const { code, message, retryable }: Failure =
        thrown instanceof ApiError || isFailure(thrown)
          ? thrown
          : { code: "internal", message: String(thrown), retryable: false };
      change({ ...row, state: { step: "failed", error: { code, message, retryable } } });
      view.say(`${row.filename} failed. ${message}`);
      const { filename, accepted } = row;
      const document_id = accepted?.document_id ?? null;
      emit("sluice-failed", { code, message, retryable, filename, document_id } satisfies UploadFailure);
    }

    async function send(): Promise<void> {
      const sentUpTo = (sent: number, trouble: string | null) =>
        change({ ...row, state: { step: "sending", sent, trouble } });
      sentUpTo(0, null);
      try {
        const accepted = await client.upload(file, {
          ...fields,
          signal,
          onProgress: ({ sent, total }) => sentUpTo(total === 0 ? 1 : sent / total, null),
          onTrouble: ({ error }) =>
            sentUpTo(row.state.step === "sending" ? row.state.sent : 0, error.message),
        });
        change({ ...row, accepted, state: begun });
        emit("sluice-accepted", accepted);
        await follow(accepted);
      } catch (error) {
        fail(error);
      }
    }

    async function follow(accepted: Accepted): Promise<void> {
      const { document_id, duplicate } = accepted;
      if (duplicate) {
        const { status, chunks_created, about } = await client.getDocument(document_id, { signal });
        if (status === "completed") {
          change({ ...row, state: { step: "searchable", chunks_created, about } });
          return found();
        }
      }
      watch(document_id);
    }

    function watch(document_id: string): void {
      unfollow = follower.add({
        document_id,
        after: row.sequence,
        onEvents(events) {
          if (!isActive(row)) return;
          // Earlier ingestions of the same document tell nothing of this one.
          const own = events.filter(({ data }) => data.job_id === row.accepted?.job_id);
          if (own.length === 0) return;
          change(own.reduce(applyEvent, row));
          if (isActive(row)) return;
          ended = true;
          unfollow();
          if (row.state.step === "searchable") found().catch(fail);
          else if (row.state.step === "failed") fail(row.state.error);
          else view.say(`${row.filename} was cancelled.`);
        },
        onError: fail,
      });
    }

    async function found(): Promise<void> {
      view.say(`${row.filename} can be searched now.`);
      const { document_id } = row.accepted as Accepted;
      emit("sluice-searchable", await client.getDocument(document_id, { signal }));
    }

    /** From where it failed: the sending anew, or the ingestion from its last checkpoint. */
    async function again(): Promise<void> {
      const { accepted } = row;
      if (!accepted) {
        change({ ...row, state: { step: "waiting" } });
        waiting.push(send);
        return pump();
      }
      change({ ...row, state: begun });
      // What the retry causes comes after the last event known, so it is read whenever the reading begins.
      if (ended) await client.retryJob(accepted.job_id, { signal });
      ended = false;
      watch(accepted.document_id);
    }

    function retry(): void {
      again().catch(fail);
    }

    rowView.draw(row);
    if (refused) fail(refused);
    else {
      waiting.push(send);
      pump();
    }
  }

  return {
    add,
    stop() {
      stopping.abort();
      follower.close();
    },
  };
}

function isFailure(thrown: unknown): thrown is Failure {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown;
}
