/**
 * A Kafka broker of the test's own: one node in KRaft mode, broker and controller in one process, on ports and a folder
 * that nobody else has. Its jars come from Maven Central (kafka-pom.xml), once, into the user's cache.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const POM = fileURLToPath(new URL("./kafka-pom.xml", import.meta.url));
const DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8";
/** Linux's way to let no broker outlive a test run that is killed. */
const DIES_WITH_PARENT = process.platform === "linux" ? ["setpriv", "--pdeathsig", "KILL"] : [];
const START_MS = 90_000;
const STOP_MS = 30_000;
const TAIL_LINES = 60;

export interface KafkaBrokerOptions {
  /** Further lines of server.properties, or other values for those below. */
  settings?: Record<string, string>;
}

export interface KafkaBroker {
  /** host:port, without encryption or login. */
  brokers: string[];
  /** host:port that wants a login as `login`, by any of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  sasl_brokers: string[];
  login: { username: string; password: string };
  /** SIGSTOP: it keeps its connections and answers nobody. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again, after `kill` or `halt`, on the same ports and data; resolves when it takes requests. */
  start(): Promise<void>;
  /** SIGTERM; resolves when the process is gone. */
  halt(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** @throws Error with the end of the broker's log when it doesn't start */
export async function startKafka(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  const jars = await fetchKafka();
  const folder = await mkdtemp(join(tmpdir(), "sluice-kafka-"));
  const [port, saslPort, controllerPort] = await freePorts(3);
  const login = { username: "sluice", password: "sluice-secret" };
  const properties = join(folder, "server.properties");
  await writeFile(join(folder, "log4j2.properties"), LOGGING);
  await writeFile(properties, toProperties({ ...defaults(), ...options.settings }));

  function defaults(): Record<string, string> {
    const module = "org.apache.kafka.common.security";
    const scram = `${module}.scram.ScramLoginModule required;`;
    const plain = `${module}.plain.PlainLoginModule required user_${login.username}="${login.password}";`;
    return {
      "process.roles": "broker,controller",
      "node.id": "1",
      "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
      "controller.listener.names": "CONTROLLER",
      "inter.broker.listener.name": "PLAINTEXT",
      listeners: `PLAINTEXT://127.0.0.1:${port},SASL://127.0.0.1:${saslPort},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},SASL://127.0.0.1:${saslPort}`,
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
      "listener.name.sasl.plain.sasl.jaas.config": plain,
      "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
      "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
      "log.dirs": join(folder, "data"),
      "auto.create.topics.enable": "false",
      "num.partitions": "3",
      "offsets.topic.num.partitions": "1",
      "offsets.topic.replication.factor": "1",
      "transaction.state.log.num.partitions": "1",
      "transaction.state.log.replication.factor": "1",
      "transaction.state.log.min.isr": "1",
      "group.initial.rebalance.delay.ms": "0",
      // A broker that comes back registers anew; the controller waits this long for the one that died.
      "broker.session.timeout.ms": "3000",
      "broker.heartbeat.interval.ms": "500",
    };
  }

  const java = (...args: string[]) => [
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    `-Dlog4j2.configurationFile=${join(folder, "log4j2.properties")}`,
    "-cp",
    join(jars, "*"),
    ...args,
  ];
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const [program, ...args] = [...DIES_WITH_PARENT, "java", ...java("kafka.Kafka", properties)];
    const started = spawn(program as string, args, {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = started;
    const tail: string[] = [];
    const running = Promise.withResolvers<void>();
    const fail = (why: string) =>
      running.reject(new Error(`Kafka ${why}; the end of its log:\n${tail.join("\n")}`));
    for (const stream of [started.stdout, started.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        tail.push(line);
        if (tail.length > TAIL_LINES) tail.shift();
        // Written when its listeners are open and the controller lets it take requests.
        if (line.includes("Kafka Server started")) running.resolve();
      });
    }
    started.on("error", (error) => fail(`could not be run (${error.message})`));
    started.on("close", (code, signal) => fail(`ended while it started (${signal ?? code})`));
    const limit = setTimeout(() => fail(`did not start within ${START_MS} ms`), START_MS);
    try {
      await running.promise;
    } catch (error) {
      started.kill("SIGKILL");
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }

  /** Resolves when the process is gone. One that ignores the signal is killed. */
  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill("SIGCONT");
    ending.kill(signal);
    const limit = setTimeout(() => ending.kill("SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(limit);
  }

  // A test run that is interrupted leaves no broker behind.
  const onExit = () => child?.kill("SIGKILL");
  process.on("exit", onExit);
  const stop = async () => {
    await end("SIGKILL");
    process.off("exit", onExit);
    await rm(folder, { recursive: true, force: true });
  };

  try {
    await run(
      "java",
      java(
        ...["kafka.tools.StorageTool", "format", "--config", properties],
        ...["--cluster-id", "c2x1aWNlLXRlc3RzLTAwMQ"],
        ...["256", "512"].flatMap((bits) => [
          "--add-scram",
          `SCRAM-SHA-${bits}=[name=${login.username},password=${login.password}]`,
        ]),
      ),
    );
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    brokers: [`127.0.0.1:${port}`],
    sasl_brokers: [`127.0.0.1:${saslPort}`],
    login,
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    kill: () => end("SIGKILL"),
    halt: () => end("SIGTERM"),
    start,
    stop,
  };
}

const LOGGING = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %m (%c{1})%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
`;

function toProperties(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** The folder of Kafka's jars; fetched when this machine has none of this version yet. */
export async function fetchKafka(): Promise<string> {
  const [, version] =
    /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(readFileSync(POM, "utf8")) ?? [];
  if (!version) throw new Error(`${POM} names no version of Kafka`);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(cache, "sluice", `kafka-${version}`);
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  // Under another name until it is whole: two test runs may fetch at once, and either may be interrupted.
  const part = await mkdtemp(`${folder}-`);
  try {
    await run("mvn", [
      ...["-B", "-q", "-f", POM, `${DEPENDENCY_PLUGIN}:copy-dependencies`],
      ...[`-DoutputDirectory=${part}`, "-DincludeScope=runtime"],
    ]);
    await rename(part, folder);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    if (existsSync(folder)) return folder;
    throw new Error("Kafka's jars could not be fetched; tests need maven and Java 17 or later", {
      cause: error,
    });
  }
  return folder;
}

/** Ports that nobody listens on now; all are held until all are found, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
