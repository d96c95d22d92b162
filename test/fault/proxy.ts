/**
 * A TCP proxy that understands Kafka's framing, so that a test can stop the world at one exact request.
 *
 * Request  => size:int32 apiKey:int16 apiVersion:int16 correlationId:int32 clientId:nullable_string body
 * Response => size:int32 correlationId:int32 body
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** API keys of the requests that tests care about. */
export const API = {
  Produce: 0,
  OffsetFetch: 9,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const;

export interface Request {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly body: Buffer;
}

/** What to do with requests of a kind, until told otherwise. */
interface Rule {
  readonly matches: (request: Request) => boolean;
  readonly hold: (request: Request, go: () => void) => void;
}

export interface Held {
  /** Resolves when such a request has arrived; it stays in the proxy. */
  readonly arrived: Promise<Request>;
  /** Lets what was held, and all that follow, go on. */
  release(): void;
}

export interface FaultProxy {
  readonly port: number;
  /** Holds every matching request from now on. */
  hold(matches: (request: Request) => boolean): Held;
  /** Resolves when the answer to a matching request has come from the broker (and before it is passed on). */
  answered(matches: (request: Request) => boolean): Promise<void>;
  /** The broker answers, the answer is lost and the connection with it. Resolves when that has happened. */
  loseAnswer(matches: (request: Request) => boolean): Promise<void>;
  close(): Promise<void>;
}

/** The transactional id of an InitProducerId, AddPartitionsToTxn, EndTxn or TxnOffsetCommit request. */
export function transactionalId({ body }: Request): string | null {
  const length = body.readInt16BE(0);
  return length < 0 ? null : body.toString('utf8', 2, 2 + length);
}

/** Listens on `port` of loopback and forwards to `target`. */
export async function openProxy(port: number, target: number): Promise<FaultProxy> {
  const rules = new Set<Rule>();
  const watchers = new Set<{ matches: (r: Request) => boolean; lose: boolean; done: () => void }>();
  const sockets = new Set<Socket>();

  const server: Server = createServer((client) => {
    const broker = connect({ host: '127.0.0.1', port: target });
    const pending = new Map<number, Request>();
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end).on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    // Requests of one connection stay in order: behind a held one, all wait.
    let queue = Promise.resolve();
    frames(client, (frame) => {
      const request = parse(frame);
      queue = queue.then(async () => {
        for (const rule of rules) {
          if (rule.matches(request)) {
            await new Promise<void>((go) => {
              rule.hold(request, go);
            });
          }
        }
        pending.set(frame.readInt32BE(8), request);
        if (!broker.destroyed) broker.write(frame);
      });
    });
    frames(broker, (frame) => {
      const correlation = frame.readInt32BE(4);
      const request = pending.get(correlation);
      pending.delete(correlation);
      for (const watcher of watchers) {
        if (request === undefined || !watcher.matches(request)) continue;
        watchers.delete(watcher);
        watcher.done();
        if (watcher.lose) return end();
      }
      if (!client.destroyed) client.write(frame);
    });
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));

  const watch = (matches: (r: Request) => boolean, lose: boolean) =>
    new Promise<void>((done) => {
      watchers.add({ matches, lose, done });
    });
  return {
    port,
    hold: (matches) => {
      const waiting: (() => void)[] = [];
      let arrive: (request: Request) => void = () => {};
      const arrived = new Promise<Request>((resolve) => {
        arrive = resolve;
      });
      const rule: Rule = {
        matches,
        hold: (request, go) => {
          waiting.push(go);
          arrive(request);
        },
      };
      rules.add(rule);
      return {
        arrived,
        release: () => {
          rules.delete(rule);
          for (const go of waiting) go();
        },
      };
    },
    answered: (matches) => watch(matches, false),
    loseAnswer: (matches) => watch(matches, true),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Calls `each` with every whole frame, its size included. */
function frames(socket: Socket, each: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const size = 4 + rest.readInt32BE(0);
      each(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  });
}

function parse(frame: Buffer): Request {
  const clientId = frame.readInt16BE(12);
  return {
    apiKey: frame.readInt16BE(4),
    apiVersion: frame.readInt16BE(6),
    body: frame.subarray(14 + Math.max(0, clientId)),
  };
}
