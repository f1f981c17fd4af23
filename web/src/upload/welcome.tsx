/** What Sluice does, for whoever has nothing in it yet. */
import { stageOrder } from "../row.ts";
import { stageWords } from "../ui/status.tsx";
import { PickButtons } from "./pick.tsx";
import { sampleFile } from "./sample.ts";
import { uploadFiles } from "./uploads.ts";

const stages: Record<(typeof stageOrder)[number], { says: string; picture: string }> = {
  extracting: {
    says: "Text, headings and tables are read out of the file; scans by OCR.",
    picture: "M14 8h15l7 7v25H14ZM29 8v7h7M19 22h12M19 28h12M19 34h8",
  },
  chunking: {
    says: "The text is cut into passages, where it has its own seams.",
    picture: "M12 10h26M12 15h20M8 21h34M12 27h26M12 32h18M8 37h34M12 42h22",
  },
  embedding: {
    says: "What each passage is about becomes a row of numbers.",
    picture: "M14 36h.1M20 24h.1M27 31h.1M34 14h.1M36 26h.1M25 16h.1M17 14h.1M33 37h.1M14 36l6-12 7 7 9-5",
  },
  indexing: {
    says: "All passages of a version become searchable at one moment.",
    picture: "M22 11a11 11 0 1 0 0 22 11 11 0 0 0 0-22ZM30 30l10 10M17 19h10M17 24h7",
  },
};

export function Welcome() {
  return (
    <section class="upload-welcome panel" aria-labelledby="welcome-title">
      <div class="upload-welcome-words">
        <h2 id="welcome-title">Put a document in, search it a moment later</h2>
        <p>
          Drop files or folders anywhere on this page. Each is stored safely and answered at once; then you
          can watch what becomes of it.
        </p>
        <div class="actions">
          <PickButtons />
        </div>
        <p class="hint">PDF, Office, mail, archives, scans, pictures, text. Ctrl V pastes.</p>
      </div>
      <ol class="upload-stages">
        {stageOrder.map((stage, index) => (
          <li key={stage}>
            <svg class={`upload-picture ${stage}`} viewBox="0 0 50 50" aria-hidden="true">
              <path d={stages[stage].picture} />
            </svg>
            <h3>
              {index + 1}. {stageWords[stage]}
            </h3>
            <p>{stages[stage].says}</p>
          </li>
        ))}
      </ol>
      <p class="upload-sample">
        <span>No file at hand?</span>
        <button type="button" onClick={() => uploadFiles([sampleFile()])}>
          Try a sample document
        </button>
      </p>
    </section>
  );
}
