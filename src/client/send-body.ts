/** Sends bytes and tells how many have gone. */
import { refusalOf, unreachable } from "./api-error.ts";
import { browser, onNetwork, type Xhr } from "./browser.ts";
import type { Http } from "./http.ts";

/** A request that neither sends nor answers for this long is given up, to be made anew. */
const STALL_MS = 120_000;

export interface Sending {
  method: "POST" | "PATCH";
  /** As `Http.address` gives it. */
  address: string;
  headers: Record<string, string>;
  body: Blob;
  /** Bytes that have gone so far; only at the end where the platform doesn't tell. */
  onSent: (sent: number) => void;
  signal: AbortSignal | undefined;
}

export interface Sent {
  status: number;
  text: string;
  header(name: string): string | null;
}

/** @returns the answer of a success. @throws ApiError for any other; the signal's reason */
export async function sendBody(http: Http, sending: Sending): Promise<Sent> {
  const Xhr = http.ownFetch ? undefined : browser.XMLHttpRequest;
  const { body, onSent } = sending;
  onSent(0);
  const sent = Xhr ? await overXhr(http, new Xhr(), sending) : await overFetch(http, sending);
  if (sent.status < 200 || sent.status > 299) {
    throw refusalOf(http.url, sent.status, sent.text, sent.header("retry-after"));
  }
  onSent(body.size);
  return sent;
}

async function overFetch(http: Http, { method, address, headers, body, signal }: Sending): Promise<Sent> {
  const response = await http.send(method, address, { headers, body, signal });
  const text = await http.textOf(response, signal);
  return { status: response.status, text, header: (name) => response.headers.get(name) };
}

/** XMLHttpRequest, because fetch does not tell how much of a body has gone. */
function overXhr(http: Http, xhr: Xhr, { method, address, headers, body, onSent, signal }: Sending) {
  return new Promise<Sent>((resolve, reject) => {
    const abort = () => xhr.abort();
    const fail = (why: string) => () => end(() => reject(unreachable(http.url, new Error(why))));
    const forget = onNetwork("offline", abort);
    let stall: ReturnType<typeof setTimeout>;
    const alive = () => {
      clearTimeout(stall);
      stall = setTimeout(abort, STALL_MS);
    };
    const end = (settle: () => void) => {
      clearTimeout(stall);
      forget();
      signal?.removeEventListener("abort", abort);
      settle();
    };
    xhr.open(method, address);
    for (const [name, value] of Object.entries({ ...http.authorization(), ...headers })) {
      xhr.setRequestHeader(name, value);
    }
    xhr.upload.onprogress = ({ loaded }) => {
      alive();
      onSent(Math.min(loaded, body.size));
    };
    xhr.onerror = fail("the request failed");
    xhr.onabort = () =>
      signal?.aborted ? end(() => reject(signal.reason)) : fail("the request stood still")();
    xhr.onload = () => {
      const { status, responseText: text } = xhr;
      end(() => resolve({ status, text, header: (name) => xhr.getResponseHeader(name) }));
    };
    if (signal?.aborted) return end(() => reject(signal.reason));
    signal?.addEventListener("abort", abort);
    alive();
    xhr.send(body);
  });
}
