import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ClaimsealError } from '../../../src/errors.ts';
import { createLog, showError } from '../../../src/ops/index.ts';

const PLANTED = 'planted-4711-secret';

function logged(level = 'info', debug = false) {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { log: createLog({ level, debug, destination }), lines, last: () => JSON.parse(lines.at(-1)!) };
}

describe('log', () => {
  test('every line has level, time, pid and version', () => {
    const { log, last } = logged();
    log.info({ events: 3 }, 'summary');
    expect(last()).toMatchObject({ level: 'info', pid: process.pid, msg: 'summary', events: 3 });
    expect(last().version).toMatch(/^\d+\.\d+\.\d+/);
    expect(new Date(last().time).getTime()).toBeGreaterThan(0);
  });

  test('a ClaimsealError shows code, place, message, remedy; never its cause', () => {
    const { log, lines, last } = logged();
    const error = new ClaimsealError('kafka.topic', 'topic a is missing', {
      place: { topic: 'a' },
      remedy: 'create it',
      cause: new Error(PLANTED),
    });
    log.error({ err: error }, 'halted');
    expect(last().err).toEqual({
      code: 'kafka.topic',
      place: { topic: 'a' },
      message: 'topic a is missing',
      remedy: 'create it',
    });
    expect(lines.join()).not.toContain(PLANTED);
  });

  test.each([false, true])(
    'a foreign error shows its name only, however it is logged (debug %s)',
    (debug) => {
      const { log, lines, last } = logged('trace', debug);
      const error = new TypeError(`bad value ${PLANTED}\n    at ${PLANTED} (file.ts:1:1)`, {
        cause: new Error(PLANTED),
      });
      Object.assign(error, { record: PLANTED, broker: PLANTED });
      log.error(error);
      log.error({ err: error });
      log.error({ err: error }, 'said');
      log.error(error, 'said');
      expect(lines).toHaveLength(4);
      expect(lines.join()).not.toContain(PLANTED);
      expect(last().err).toMatchObject({ code: 'internal', message: 'unexpected TypeError' });
      expect(last().err.stack === undefined).toBe(!debug);
    },
  );

  test('frames appear only under debug', () => {
    const error = new ClaimsealError('internal', 'm');
    expect(showError(error)).toEqual({ code: 'internal', message: 'm' });
    expect(showError(error, true).stack?.join()).toContain('log.test.ts');
  });

  test('something thrown that is no error shows its type', () => {
    expect(JSON.stringify(showError(PLANTED))).toBe('{"code":"internal","message":"unexpected string"}');
  });

  test.each(['password', 'secret', 'value', 'key'])(
    'a field named %s is censored three levels deep',
    (name) => {
      const { log, lines } = logged();
      const field = { [name]: PLANTED };
      log.info(field, 'm');
      log.info({ a: field }, 'm');
      log.info({ a: { b: field } }, 'm');
      log.info({ a: { [name]: { b: PLANTED } } }, 'm');
      expect(lines).toHaveLength(4);
      expect(lines.join()).not.toContain(PLANTED);
    },
  );
});
