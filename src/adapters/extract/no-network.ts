/**
 * Takes the network away from the process, and from each of its threads, that loads this first: whatever a reader's
 * library would connect to, listen on or ask a name server for throws `ERR_ACCESS_DENIED`. Node's permissions know no
 * network before version 25, and namespaces, which hold against native code too, are not everywhere.
 */
import dgram from "node:dgram";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

/** Named as in Node's own errors of that kind. */
function refuse(): never {
  throw Object.assign(new Error("A reader of documents has no network."), { code: "ERR_ACCESS_DENIED" });
}

/** @param which names of methods */
function disable(target: object, which: RegExp): void {
  for (const name of Object.getOwnPropertyNames(target)) {
    const { value, configurable, writable } = Object.getOwnPropertyDescriptor(target, name)!;
    if (typeof value !== "function" || !which.test(name) || !(configurable || writable)) continue;
    Object.defineProperty(target, name, { value: refuse });
  }
}

// HTTP, TLS, HTTP/2, fetch and WebSocket all connect by this socket.
disable(net.Socket.prototype, /^connect$/);
disable(net.Server.prototype, /^listen$/);
disable(dgram.Socket.prototype, /^(bind|connect|send|sendto)$/);
const asking = /^(lookup|resolve|reverse)/;
for (const target of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) {
  disable(target, asking);
  const above = Object.getPrototypeOf(target);
  if (above !== null && above !== Object.prototype && above !== Function.prototype) disable(above, asking);
}
syncBuiltinESMExports();
