/** What every client of Kafka is told: where the brokers are, who it is and how it proves that. */
import type { BaseOptions } from "@platformatic/kafka";

export interface KafkaConnectionOptions {
  /** host:port of some brokers; the others are learnt from them. */
  brokers: string[];
  /** How the brokers' logs and quotas name this client. Default "sluice". */
  client_id?: string;
  sasl?: KafkaLogin;
  /** true: the public authorities decide whom to trust. An object goes to `tls.connect`. Default false. */
  tls?: boolean | KafkaTls;
}

export interface KafkaLogin {
  mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  username: string;
  /** Appears in no message. */
  password: string;
}

export interface KafkaTls {
  /** PEM. Default: the authorities that Node trusts. */
  ca?: string;
  /** PEM, for brokers that know their clients by certificate. */
  cert?: string;
  key?: string;
}

const mechanisms = {
  plain: "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
} as const;

/**
 * The client library's form of the options.
 *
 * @throws TypeError when they make no sense
 */
export function toClientOptions(options: KafkaConnectionOptions): BaseOptions {
  const { brokers, client_id = "sluice", sasl, tls = false } = options;
  if (brokers.length === 0) throw new TypeError("brokers must name at least one broker");
  for (const broker of brokers) {
    if (!/^(\[[\da-fA-F:.]+\]|[^\s:/[\]]+):\d{1,5}$/.test(broker)) {
      throw new TypeError(`brokers: ${JSON.stringify(broker)} is not host:port`);
    }
  }
  if (client_id === "") throw new TypeError("client_id must not be empty");
  if (sasl && !Object.hasOwn(mechanisms, sasl.mechanism)) {
    throw new TypeError(`sasl.mechanism must be one of ${Object.keys(mechanisms).join(", ")}`);
  }
  return {
    clientId: client_id,
    bootstrapBrokers: brokers,
    // The server is asked for under its own name, which brokers behind a shared address tell it apart by.
    ...(tls === false ? {} : { tls: tls === true ? {} : tls, tlsServerName: true }),
    ...(sasl
      ? {
          sasl: {
            mechanism: mechanisms[sasl.mechanism],
            username: sasl.username,
            password: sasl.password,
          },
        }
      : {}),
  };
}
