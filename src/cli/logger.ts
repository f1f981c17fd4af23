import { destination, type Logger, pino, stdSerializers } from "pino";

/** JSON lines on standard error, so that standard output stays for answers. */
export function createLogger(level: string, process_name: string): Logger {
  return pino(
    {
      level,
      base: { process: process_name, pid: process.pid },
      serializers: { err: stdSerializers.errWithCause },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    destination({ dest: 2, sync: true }),
  );
}
