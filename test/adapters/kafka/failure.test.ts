import { expect, test } from "vitest";
import {
  describeFailure,
  isLoginRefused,
  isProtocolError,
  isTopicMissing,
} from "../../../src/adapters/kafka/failure.ts";

const answered = (apiId: string) => Object.assign(new Error("as the broker says"), { apiId });
const nested = (inner: Error) =>
  new AggregateError(
    [new Error("outer", { cause: new AggregateError([inner, inner], "all failed") })],
    "send failed",
  );

test("an answer of the broker is found however deep it lies", () => {
  expect(isProtocolError(nested(answered("MESSAGE_TOO_LARGE")), "MESSAGE_TOO_LARGE")).toBe(true);
  expect(isProtocolError(nested(answered("MESSAGE_TOO_LARGE")), "NOT_ENOUGH_REPLICAS")).toBe(false);
  expect(isTopicMissing(nested(answered("UNKNOWN_TOPIC_OR_PARTITION")))).toBe(true);
  expect(isTopicMissing(nested(new Error("Unknown topic sluice.events.")))).toBe(true);
  expect(isLoginRefused(nested(Object.assign(new Error("no"), { code: "PLT_KFK_AUTHENTICATION" })))).toBe(
    true,
  );
  expect(isLoginRefused(nested(new Error("no")))).toBe(false);
});

test("the innermost reasons are told, each once", () => {
  expect(describeFailure(nested(answered("NOT_ENOUGH_REPLICAS")))).toBe(
    "NOT_ENOUGH_REPLICAS: as the broker says",
  );
  expect(describeFailure(new Error("plain"))).toBe("plain");
  expect(describeFailure("text")).toBe("text");
});
