/** Known bugs, to be put between a process and its ports: a simulation that does not find them finds nothing. */
import type { Commit } from "../../src/ports/document-store.ts";
import type { Plant } from "./ports.ts";

const hasEvent = (commits: Commit[], event_type: string) =>
  commits.some(({ events }) => events?.some((event) => event.event_type === event_type));

/** The upload is answered before its transaction is written. */
const ackBeforeCommit: Plant = ({ documents }, process, scheduler) => ({
  documents: {
    ...documents,
    async commit(commits) {
      if (!hasEvent(commits, "rag.document.uploaded")) return documents.commit(commits);
      void scheduler.step(process, "the late commit").then(() => documents.commit(commits).catch(() => {}));
      return 0;
    },
  },
});

/** Whoever finishes a document publishes it, whether the job is still theirs or not. */
const publishWithoutLease: Plant = ({ documents, queue }) => ({
  documents: {
    ...documents,
    async commit(commits) {
      if (!hasEvent(commits, "rag.ingestion.completed")) return documents.commit(commits);
      const unfenced = await Promise.all(
        commits.map(async ({ lease: _, settle: __, ...commit }) => {
          const { record } = commit.document as NonNullable<Commit["document"]>;
          const current = await documents.getDocument(record.tenant_id, record.document_id);
          return { ...commit, document: { record, expect_revision: current?.revision ?? 0 } };
        }),
      );
      const sequence = await documents.commit(unfenced);
      for (const { lease } of commits) if (lease) await queue.complete(lease).catch(() => {});
      return sequence;
    },
  },
});

/** The state changes in one transaction, and the event that tells of it is written in another. */
const eventOutside: Plant = ({ documents }, process, scheduler) => ({
  documents: {
    ...documents,
    async commit(commits) {
      const sequence = await documents.commit(commits.map(({ events: _, ...commit }) => commit));
      const events = commits.filter((commit) => commit.events?.length);
      if (events.length === 0) return sequence;
      await scheduler.step(process, "the event, separately");
      return documents.commit(events.map(({ tenant_id, events }) => ({ tenant_id, events: events ?? [] })));
    },
  },
});

/** A reader of the log may see a number before a smaller one that was committed late. */
const cursorByNumber: Plant = ({ documents }, process, scheduler) => {
  const late = new Set<number>();
  return {
    documents: {
      ...documents,
      async readEvents(query) {
        const events = await documents.readEvents(query);
        for (const { sequence } of events.slice(0, -1)) {
          if (late.size < 1_000 && scheduler.random.chance(0.01)) {
            late.add(sequence);
            void scheduler.step(process, "a late commit shows").then(() => late.delete(sequence));
          }
        }
        return events.filter(({ sequence }) => !late.has(sequence));
      },
    },
  };
};

/** The checkpoint says that the chunks are stored, and then they are stored. */
const checkpointFirst: Plant = ({ documents }, process, scheduler) => {
  let held: Commit[] = [];
  return {
    documents: {
      ...documents,
      async commit(commits) {
        if (commits.some(({ chunks }) => chunks)) {
          held.push(...commits);
          return 0;
        }
        const sequence = await documents.commit(commits);
        if (!commits.some(({ checkpoint }) => checkpoint?.stage === "chunking")) return sequence;
        const now = held;
        held = [];
        await scheduler.step(process, "the chunks, after their checkpoint");
        return documents.commit(now);
      },
    },
  };
};

/** A sweep looks which blobs are named, and removes the others: whoever slept may name one in between, or later. */
const sweepByLooking: Plant = ({ documents }) => ({
  documents: {
    ...documents,
    async condemnBlobs(keys) {
      const named = await documents.referencedBlobs(keys);
      return keys.filter((key) => !named.has(key));
    },
  },
});

export const planted: Readonly<Record<string, Plant>> = {
  "ack before commit": ackBeforeCommit,
  "lease not checked at publish": publishWithoutLease,
  "event outside the transaction": eventOutside,
  "cursor by commit order": cursorByNumber,
  "checkpoint before the write": checkpointFirst,
  "sweep without a mark": sweepByLooking,
};
