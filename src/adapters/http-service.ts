/** What adapters of services that speak HTTP share. */

/**
 * Where a service answers one kind of request.
 *
 * @param url base of the service
 * @param name last part of the path, such as `embeddings`
 * @throws TypeError when the base is no http or https address, or holds a password
 */
export function endpointOf(url: string, name: string): URL {
  const endpoint = URL.parse(url);
  if (endpoint === null || !/^https?:$/.test(endpoint.protocol)) {
    throw new TypeError("url must be an http or https address");
  }
  if (endpoint.username !== "" || endpoint.password !== "") {
    throw new TypeError("url must not contain a user or password; use api_key");
  }
  endpoint.pathname = `${endpoint.pathname.replace(/\/+$/, "")}/${name}`;
  endpoint.hash = "";
  return endpoint;
}

/** Why a request had no answer: fetch says only "fetch failed" and puts the reason into `cause`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
