import { destination, type Logger, pino, stdSerializers } from "pino";

/**
 * JSON lines, by default on standard error, so that standard output stays for answers.
 *
 * @param file descriptor to write to
 */
export function createLogger(level: string, process_name: string, file = 2): Logger {
  return pino(
    {
      level,
      base: { process: process_name, pid: process.pid },
      serializers: { err: stdSerializers.errWithCause },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    destination({ dest: file, sync: true }),
  );
}
