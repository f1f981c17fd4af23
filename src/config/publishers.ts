/** The part of the configuration that is about where events go. */
import type { Settings } from "./settings.ts";

export type PublisherConfig =
  | {
      kind: "kafka";
      brokers: string[];
      /** Of all events, or of each family. */
      topic: string | { document: string; ingestion: string };
      mode: "binary" | "structured";
      compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
      client_id: string;
      tls: boolean;
      sasl?: {
        mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        username: string;
        password: string;
      };
    }
  | { kind: "sqs"; queue_url: string; region: string; endpoint?: string }
  | { kind: "sns"; topic_arn: string; region: string; endpoint?: string };

export function toPublisher(kind: PublisherConfig["kind"], values: Settings): PublisherConfig {
  const region = values.SLUICE_AWS_REGION;
  switch (kind) {
    case "sqs": {
      const { SLUICE_SQS_ENDPOINT: endpoint } = values;
      const queue_url = given(values.SLUICE_SQS_EVENTS_QUEUE_URL);
      return { kind, queue_url, region, ...(endpoint && { endpoint }) };
    }
    case "sns": {
      const { SLUICE_SNS_ENDPOINT: endpoint } = values;
      const topic_arn = given(values.SLUICE_SNS_TOPIC_ARN);
      return { kind, topic_arn, region, ...(endpoint && { endpoint }) };
    }
    case "kafka": {
      const mechanism = values.SLUICE_KAFKA_SASL_MECHANISM;
      return {
        kind,
        brokers: given(values.SLUICE_KAFKA_BROKERS)
          .split(",")
          .map((broker) => broker.trim()),
        topic: topicOf(values),
        mode: values.SLUICE_KAFKA_MODE,
        compression: values.SLUICE_KAFKA_COMPRESSION,
        client_id: values.SLUICE_KAFKA_CLIENT_ID,
        tls: values.SLUICE_KAFKA_TLS,
        ...(mechanism && {
          sasl: {
            mechanism,
            username: given(values.SLUICE_KAFKA_SASL_USERNAME),
            password: given(values.SLUICE_KAFKA_SASL_PASSWORD),
          },
        }),
      };
    }
  }
}

function topicOf(values: Settings): string | { document: string; ingestion: string } {
  const { SLUICE_KAFKA_TOPIC: all } = values;
  const { SLUICE_KAFKA_DOCUMENT_TOPIC: document = all, SLUICE_KAFKA_INGESTION_TOPIC: ingestion = all } =
    values;
  return document === ingestion ? document : { document, ingestion };
}

/** What `config.ts` has seen to be there. */
function given(value: string | undefined): string {
  return value as string;
}
