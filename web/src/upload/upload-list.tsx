/** All that was uploaded in this tab: a line that sums it up, what to see of it, and the files. */
import { useComputed, useSignal } from "@preact/signals";
import { useCallback, useEffect, useMemo } from "preact/hooks";
import { navigate, parameter, withQuery } from "../router.tsx";
import { announce } from "../ui/announce.tsx";
import { narrow } from "../ui/media.ts";
import { VirtualList } from "../ui/virtual-list.tsx";
import { outcomeOf, type Upload } from "./upload-queue.ts";
import { UploadRow } from "./upload-row.tsx";
import { canRetry, outcomes, queue, retry, uploads } from "./uploads.ts";

const shows = {
  all: "All",
  active: "Under way",
  failed: "Failed",
} as const;

export function UploadList() {
  const show = parameter("show") in shows ? (parameter("show") as keyof typeof shows) : "all";
  const shown = useMemo(
    () => (upload: Upload) => show === "all" || outcomeOf(upload.view.value, upload.row.value) === show,
    [show],
  );
  const list = useComputed(() => uploads.value);
  const visible = show === "all" ? list.value : list.value.filter(shown);
  const counts = outcomes.value;
  const many = { all: list.value.length, active: counts.active, failed: counts.failed };
  const again = useComputed(() => uploads.value.filter(canRetry)).value;
  const ended = counts.ready + counts.cancelled + counts.failed;
  const refusal = useSignal<string | null>(null);

  const underWay = counts.active;
  useEffect(() => {
    if (underWay === 0 && list.peek().length > 0) announce(summaryOf(outcomes.peek()));
  }, [underWay === 0]);

  const heights = narrow.value ? 148 : 104;
  const row = useCallback((index: number) => <UploadRow upload={visible[index]!} />, [visible]);
  return (
    <section class="upload-list" aria-labelledby="upload-list-title">
      <div class="upload-list-head">
        <div>
          <h2 id="upload-list-title">Uploaded here</h2>
          <p class="hint">{summaryOf(counts)}</p>
        </div>
        <div class="actions">
          {again.length > 1 && (
            <button
              class="small"
              type="button"
              onClick={() => {
                refusal.value = null;
                void Promise.allSettled(again.map(retry)).then((results) => {
                  const refused = results.find((each) => each.status === "rejected");
                  if (refused) refusal.value = (refused.reason as Error).message;
                });
              }}
            >
              Try all {again.length} again
            </button>
          )}
          {ended > 0 && (
            <button
              class="small"
              type="button"
              onClick={() => {
                for (const { id, view, row } of uploads.peek()) {
                  if (outcomeOf(view.peek(), row.peek()) !== "active") queue.dismiss(id);
                }
              }}
            >
              Clear ended ones
            </button>
          )}
        </div>
      </div>
      {many.all > 1 && (
        <fieldset class="choices">
          <legend class="unseen">Show</legend>
          {(Object.keys(shows) as (keyof typeof shows)[]).map((name) => (
            <label key={name}>
              <input
                type="radio"
                name="show"
                checked={show === name}
                onChange={() =>
                  navigate(withQuery({ show: name === "all" ? null : name }), { replace: true })
                }
              />
              <span>
                {shows[name]} <b class="count">{many[name].toLocaleString("en")}</b>
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {refusal.value !== null && (
        <p class="error" role="alert">
          {refusal.value}
        </p>
      )}
      {visible.length === 0 ? (
        <p class="hint">{show === "failed" ? "Nothing failed." : "Nothing is under way."}</p>
      ) : (
        <VirtualList
          class="panel upload-rows"
          label="Uploads"
          count={visible.length}
          heights={heights}
          keyOf={(index) => String(visible[index]!.id)}
        >
          {row}
        </VirtualList>
      )}
    </section>
  );
}

function summaryOf({ ready, failed, active, cancelled }: typeof outcomes.value): string {
  const parts: [number, string][] = [
    [ready, "ready"],
    [failed, "failed"],
    [active, "under way"],
    [cancelled, "stopped"],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count.toLocaleString("en")} ${word}`)
    .join(", ");
}
