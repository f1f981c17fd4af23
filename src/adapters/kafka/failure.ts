/** What went wrong. The client library nests its errors: as `errors` of one, and as its `cause`. */

/** Whether the broker, or one of several, answered with this error of the protocol, such as MESSAGE_TOO_LARGE. */
export function isProtocolError(error: unknown, id: string): boolean {
  return someError(error, (one) => "apiId" in one && one.apiId === id);
}

/** The library says it in two ways: as the broker did, and in an error of its own without a code. */
export function isTopicMissing(error: unknown): boolean {
  return (
    isProtocolError(error, "UNKNOWN_TOPIC_OR_PARTITION") ||
    someError(error, ({ message }) => message.startsWith("Unknown topic "))
  );
}

/** Whether a broker didn't accept who this client says it is; another try won't change that. */
export function isLoginRefused(error: unknown): boolean {
  return (
    someError(error, (one) => "code" in one && one.code === "PLT_KFK_AUTHENTICATION") ||
    isProtocolError(error, "SASL_AUTHENTICATION_FAILED")
  );
}

/** The innermost reasons, each once. */
export function describeFailure(error: unknown): string {
  const found = new Set<string>();
  someError(error, (one) => {
    if (causesOf(one).length === 0) found.add("apiId" in one ? `${one.apiId}: ${one.message}` : one.message);
    return false;
  });
  return [...found].join("; ") || String(error);
}

function someError(error: unknown, matches: (error: Error) => boolean): boolean {
  if (!(error instanceof Error)) return false;
  return matches(error) || causesOf(error).some((cause) => someError(cause, matches));
}

function causesOf(error: Error): Error[] {
  const inner: unknown[] = error instanceof AggregateError ? [...error.errors, error.cause] : [error.cause];
  return inner.filter((one) => one instanceof Error);
}
