/**
 * Where a webhook may not point: the networks that a server sees and the one who registers a webhook does not. Names are
 * judged by what they resolve to, in the `lookup` that the connection itself goes by; so a name that answers otherwise a
 * moment later (DNS rebinding) gets nowhere.
 */
import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** IPv4 that isn't a public host's (IANA IPv4 Special-Purpose Address Registry; multicast and the reserved). */
const special4 = new BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // 169.254.169.254 is where clouds keep a machine's credentials.
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  special4.addSubnet(network, bits, "ipv4");
}
/** Public IPv6 hosts are in here: neither loopback, unique-local, link-local, multicast, IPv4-mapped nor NAT64 is. */
const global6 = new BlockList();
global6.addSubnet("2000::", 3, "ipv6");
/** And not in these: they carry an IPv4 address (Teredo, 6to4), or are for protocols and for examples. */
const special6 = new BlockList();
for (const [network, bits] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  special6.addSubnet(network, bits, "ipv6");
}

/** @param address an IP address, without brackets */
export function isPublicAddress(address: string): boolean {
  const [plain = ""] = address.split("%");
  switch (isIP(plain)) {
    case 4:
      return !special4.check(plain, "ipv4");
    case 6:
      return global6.check(plain, "ipv6") && !special6.check(plain, "ipv6");
    default:
      return false;
  }
}

/** What a tenant is told: that it may not, and nothing of what is there. */
export const REFUSED_ADDRESS = "The URL's address is not allowed: it is private or reserved.";
export const REFUSED_HTTP = "The URL is http, which public addresses are not sent to; use https.";

/** A URL that may not be called, or an address that it leads to. `message` is for the tenant. */
export class RefusedAddressError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RefusedAddressError";
  }
}

export interface AddressPolicy {
  /** Whether webhooks may go to private addresses, and there by http too. */
  allow_private: boolean;
}

/** What is wrong with an address that a request by this protocol would go to; undefined: nothing. */
function addressTrouble(address: string, protocol: string, policy: AddressPolicy): string | undefined {
  const open = isPublicAddress(address);
  if (!open && !policy.allow_private) return REFUSED_ADDRESS;
  return open && protocol !== "https:" ? REFUSED_HTTP : undefined;
}

/**
 * What is wrong with a URL as it stands, its name not resolved; undefined: nothing. @param policy see there
 */
export function urlTrouble(text: string, policy: AddressPolicy): string | undefined {
  if (!URL.canParse(text)) return "It is not a URL.";
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return "It must begin with https://.";
  if (url.protocol === "http:" && !policy.allow_private) return "It must begin with https://.";
  if (url.username !== "" || url.password !== "") {
    return "It must not hold a user name or password; requests are signed, which tells who sends them.";
  }
  const host = literalOf(url);
  return isIP(host) === 0 ? undefined : addressTrouble(host, url.protocol, policy);
}

/** An IP address of a URL, without brackets; a name as it is. */
export function literalOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

/** Requests for a name that is being resolved share the answer: a dead name server holds one thread, not many. */
export function createResolve(): Resolve {
  const asked = new Map<string, Promise<LookupAddress[]>>();
  return (hostname) => {
    const known = asked.get(hostname);
    if (known) return known;
    const answer = new Promise<LookupAddress[]>((resolve, reject) => {
      systemLookup(hostname, { all: true }, (error, addresses) =>
        error ? reject(error) : resolve(addresses),
      );
    }).finally(() => asked.delete(hostname));
    asked.set(hostname, answer);
    return answer;
  };
}

/** A `lookup` for connections by this protocol. It answers nothing where one of a name's addresses may not be called. */
export function guardedLookup(protocol: string, policy: AddressPolicy, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (found) => {
        const wanted = found.filter(({ family }) => !options.family || options.family === family);
        const trouble = found
          .map(({ address }) => addressTrouble(address, protocol, policy))
          .find((each) => each !== undefined);
        if (trouble !== undefined) return callback(new RefusedAddressError(trouble), "", 0);
        const [first] = wanted;
        if (!first) return callback(Object.assign(new Error("no address"), { code: "ENOTFOUND" }), "", 0);
        if (options.all) callback(null, wanted);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, "", 0),
    );
  };
}
