/** A process for supervisor.test.ts: behaves as its first argument says, and reports to the socket that the next names. */
import { connect } from "node:net";

const [manner, path, name] = process.argv.slice(2) as [string, string, string];
if (manner === "die") process.exit(3);
if (manner === "deaf") process.on("SIGTERM", () => {});

const socket = connect(path, () => {
  socket.write(`${JSON.stringify({ pid: process.pid, name, exec_argv: process.execArgv })}\n`, () =>
    process.send?.("ready"),
  );
});
// The test is over, however it ended: nothing of it stays behind.
socket.on("error", () => process.exit(0));
socket.on("close", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
