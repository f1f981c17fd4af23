/** `sluice verify`: everything that is stored against everything else. */
import { loadConfig } from "../config/config.ts";
import type { VerifyFinding } from "../maintenance/verify.ts";
import { withMaintenance } from "./backup.ts";
import { counted, type OutputOptions, print, printable, printJson, reportError, styled } from "./output.ts";

export interface VerifyCommandOptions extends OutputOptions {
  fast?: boolean;
  repair?: boolean;
}

/** Sets exit code 1 when findings remain, 2 when it could not look. */
export async function verifyAll({ fast = false, repair = false, json }: VerifyCommandOptions): Promise<void> {
  let documents = 0;
  let remaining = 0;
  let repaired = 0;
  let repairable = 0;
  const progress = (looked: number) => {
    documents = looked;
  };
  try {
    await withMaintenance(loadConfig(), async (maintenance) => {
      for await (const finding of maintenance.verify({ fast, repair, progress })) {
        if (finding.repaired) repaired += 1;
        else remaining += 1;
        if (!finding.repaired && finding.repairable) repairable += 1;
        if (json) printJson(finding);
        else print(describe(finding));
      }
    });
  } catch (error) {
    reportError(error, json);
    process.exitCode = 2;
    return;
  }
  if (remaining > 0) process.exitCode = 1;
  if (json) {
    printJson({ documents, remaining, repaired });
    return;
  }
  const looked = `${counted(documents, "document")} looked at`;
  if (remaining + repaired === 0) print(`All is well: ${looked}.`);
  else print(`\n${looked}; ${counted(repaired, "finding")} repaired, ${remaining} left.`);
  if (repaired > 0)
    print("What a new ingestion repairs is repaired when its job has run: verify again then.");
  if (repairable > 0 && !repair) print(`${repairable} can be repaired: sluice verify --repair`);
}

function describe({ code, severity, message, repaired, ...about }: VerifyFinding): string {
  const mark = repaired
    ? styled("green", "repaired")
    : styled(severity === "error" ? "red" : "yellow", severity.padEnd(8));
  const whom = about.document_id ?? about.job_id;
  return `${mark}  ${code}  ${whom === undefined ? "" : `${whom}: `}${printable(message)}`;
}
