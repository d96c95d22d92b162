import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { ClaimsealError, type Place } from '../errors.ts';
import { VERSION } from './version.ts';

export type Log = Logger;

export interface LogOptions {
  readonly level?: string;
  /** Adds stack frames (never messages of foreign errors). */
  readonly debug?: boolean;
  /** Where the lines go; standard error by default, since results go to standard output. */
  readonly destination?: DestinationStream;
}

/** Field names under which somebody may one day log what nobody may read; a net, not the rule. */
const SECRET_FIELDS = ['password', 'secret', 'value', 'key', 'token', 'plaintext', 'jwe', 'd', 'k'];
const CENSOR = '[redacted]';

/** An error as it may be shown: without `cause`, and of a foreign error without its message. */
export interface ShownError {
  readonly code: string;
  readonly place?: Place;
  readonly message: string;
  readonly remedy?: string;
  readonly stack?: readonly string[];
}

/**
 * What may be shown of anything thrown. A ClaimsealError shows code, place, message and remedy. Any other error
 * shows its name only: a client library's message may quote a record. `cause` is never followed.
 *
 * @param debug adds stack frames, which hold file names and lines only
 */
export function showError(error: unknown, debug = false): ShownError {
  const frames = debug && error instanceof Error ? { stack: stackFrames(originOf(error)) } : {};
  if (!(error instanceof ClaimsealError)) {
    const type = error instanceof Error ? error.name : typeof error;
    return { code: 'internal', message: `unexpected ${type}`, ...frames };
  }
  const { code, place, message, remedy } = error;
  return {
    code,
    ...(Object.keys(place).length === 0 ? {} : { place }),
    message,
    ...(remedy === undefined ? {} : { remedy }),
    ...frames,
  };
}

/** Where it began: `internal` only wraps what nobody thought of. */
function originOf(error: Error): Error {
  return error instanceof ClaimsealError && error.code === 'internal' && error.cause instanceof Error
    ? error.cause
    : error;
}

function stackFrames(error: Error): string[] {
  // The stack begins with the message, which may have lines that look like frames.
  const stack = (error.stack ?? '').replace(error.message, '');
  return stack
    .split('\n')
    .filter((line) => /^ +at /.test(line))
    .map((line) => line.trim());
}

/**
 * JSON lines on standard error, one a state change. `err` fields go through {@link showError}; fields whose
 * names promise a secret are censored three levels deep; pid and version stand in every line.
 *
 * @returns a pino logger
 */
export function createLog(options: LogOptions = {}): Log {
  const { level = 'info', debug = false } = options;
  const paths = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino(
    {
      level,
      base: { pid: process.pid, version: VERSION },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths, censor: CENSOR },
      serializers: { err: (error: unknown) => showError(error, debug) },
      hooks: {
        // pino takes a bare error's message for the line's own: a foreign one may quote a record.
        logMethod(args, method) {
          const [first, message] = args as unknown[];
          const error = first instanceof Error ? first : errorOf(first);
          if (error === undefined || typeof message === 'string') return method.apply(this, args);
          const fields = first instanceof Error ? { err: first } : (first as object);
          return method.apply(this, [fields, showError(error).message]);
        },
      },
    },
    options.destination ?? destination({ fd: 2, sync: true }),
  );
}

function errorOf(fields: unknown): Error | undefined {
  if (typeof fields !== 'object' || fields === null || !('err' in fields)) return undefined;
  return fields.err instanceof Error ? fields.err : undefined;
}
