import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClaimsealError } from '../errors.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface HttpOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly health: Pick<Health, 'alive' | 'ready'>;
}

/**
 * Serves `/metrics`, `/livez` and `/readyz` to GET and HEAD, and nothing else; no request body is read.
 *
 * @throws ClaimsealError `config.invalid` when the address cannot be bound
 */
export async function openHttp({ host, port, metrics, health }: HttpOptions): Promise<HttpServer> {
  const answer: RequestListener = async (request, response) => {
    const respond = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
      response.end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      // A body that nobody reads must not become the next request.
      response.setHeader('connection', 'close');
      response.setHeader('allow', 'GET, HEAD');
      return respond(405, 'method not allowed\n');
    }
    const path = request.url?.split('?', 1)[0];
    if (path === '/metrics') {
      try {
        return respond(200, await metrics.text(), metrics.contentType);
      } catch {
        return respond(500, 'metrics failed\n');
      }
    }
    if (path === '/livez') return health.alive() ? respond(200, 'alive\n') : respond(500, 'wedged\n');
    if (path === '/readyz') {
      const { ready, reason } = health.ready();
      return respond(ready ? 200 : 503, `${reason}\n`);
    }
    return respond(404, 'not found\n');
  };

  const server = createServer(
    { requestTimeout: 5000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 8192 },
    answer,
  );
  server.maxConnections = 64;
  server.maxRequestsPerSocket = 1000;
  server.timeout = 10_000;

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new ClaimsealError(
          'config.invalid',
          `http: cannot listen on ${host}:${port} (${error.code ?? error.name})`,
          {
            remedy: 'set http.host and http.port to a free address of this machine',
            cause: error,
          },
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', () => {});
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
