/** Speaks just enough of PostgreSQL's protocol to be asked for its version. */
import { createServer, type Socket } from "node:net";

const message = (type: string, ...parts: (Buffer | string)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const int16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const int32 = (value: number) =>
  Buffer.from([value >> 24, value >> 16, value >> 8, value].map((byte) => byte & 255));
const TEXT = 25;

/** @param version as in server_version_num; the answer to every query */
export async function startOldServer(version: string): Promise<{ url: string; close(): Promise<void> }> {
  const ready = message("Z", "I");
  const column = [
    Buffer.from("server_version_num\0"),
    int32(0),
    int16(0),
    int32(TEXT),
    int16(-1),
    int32(-1),
    int16(0),
  ];
  const answer = Buffer.concat([
    message("T", int16(1), ...column),
    message("D", int16(1), int32(version.length), version),
    message("C", "SHOW\0"),
    ready,
  ]);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(Buffer.concat([message("R", int32(0)), ready]));
      socket.on("data", (data) => {
        if (data[0] === "Q".charCodeAt(0)) socket.write(answer);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `postgresql://app@127.0.0.1:${port}/sluice`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
