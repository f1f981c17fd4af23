/** What every AWS client here is made with, and what their errors say. */

/** Where a service is. Credentials come the way that all AWS tools find them, unless given. */
export interface AwsConnectionOptions {
  region: string;
  /** A service other than AWS that speaks its protocol. */
  endpoint?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
}

const CONNECT_MS = 5_000;
/** Until the answer begins: a part of an upload goes with the request. Bodies may take longer. */
const ANSWER_MS = 60_000;
const ATTEMPTS = 4;

/** @param answer_ms how long a request may wait for its answer; default one minute */
export function toClientOptions(
  { region, endpoint, credentials }: AwsConnectionOptions,
  { answer_ms = ANSWER_MS, sockets = 64 }: { answer_ms?: number; sockets?: number } = {},
) {
  return {
    region,
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials } : {}),
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: answer_ms,
      throwOnRequestTimeout: true,
      // A body may rest while its reader is busy.
      socketTimeout: 0,
      httpsAgent: { maxSockets: sockets, keepAlive: true },
      httpAgent: { maxSockets: sockets, keepAlive: true },
    },
  };
}

/** The error's code as AWS documents it, such as AccessDenied, or the system's, such as ECONNREFUSED. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { name, code } = error as { name: string; code?: unknown };
  return name === "Error" && typeof code === "string" ? code : name;
}

export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
}

/** One line for a person. */
export function describeAwsError(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describeAwsError(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  const said = error.message || (error as { Code?: string }).Code || "no reason given";
  return code && !said.includes(code) ? `${code}: ${said}` : said;
}

/** What to do about an error, where its code says so. */
export function fixFor(error: unknown, needs: string): string | undefined {
  switch (codeOf(error)) {
    case "AccessDenied":
    case "AccessDeniedException":
    case "AuthorizationError":
    case "AuthorizationErrorException":
    case "KMS.AccessDeniedException":
    case "403":
    case "Forbidden":
      return `Allow ${needs} to this process's role or user.`;
    case "CredentialsProviderError":
    case "InvalidAccessKeyId":
    case "InvalidClientTokenId":
    case "UnrecognizedClientException":
    case "SignatureDoesNotMatch":
    case "ExpiredToken":
    case "ExpiredTokenException":
      return "Give valid credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "301":
      return "Set SLUICE_AWS_REGION to the region that it lies in.";
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "TimeoutError":
      return "Check the endpoint, SLUICE_AWS_REGION, and that this machine reaches it.";
  }
  return statusOf(error) === 403 ? `Allow ${needs} to this process's role or user.` : undefined;
}
