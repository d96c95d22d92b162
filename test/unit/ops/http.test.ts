import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createHealth, createMetrics, type HttpServer, openHttp } from '../../../src/ops/index.ts';

const opened: HttpServer[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

async function serve(more: { alive?: () => boolean; text?: () => Promise<string> } = {}) {
  const metrics = createMetrics(() => 0, false);
  const health = createHealth();
  const server = await openHttp({
    host: '127.0.0.1',
    port: 0,
    metrics: { ...metrics, ...(more.text ? { text: more.text } : {}) },
    health: { ...health, ...(more.alive ? { alive: more.alive } : {}) },
  });
  opened.push(server);
  health.close();
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return { status: response.status, body: await response.text(), headers: response.headers };
  };
  return { get, health, server };
}

describe('http', () => {
  test('metrics in the exposition format, query or not', async () => {
    const { get } = await serve();
    for (const path of ['/metrics', '/metrics?name=x']) {
      const { status, body, headers } = await get(path);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toContain('text/plain; version=0.0.4');
      expect(body).toContain('claimseal_events_in_total 0');
    }
  });

  test('readyz follows the state: 503 while starting and draining, 200 when running and assigned', async () => {
    const { get, health } = await serve();
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'starting\n' });
    health.watch({ type: 'state', state: 'running' });
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'not assigned yet\n' });
    health.watch({ type: 'assigned', partitions: [] });
    expect((await get('/readyz')).status).toBe(200);
    health.watch({ type: 'state', state: 'draining' });
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'draining\n' });
    expect((await get('/livez')).status).toBe(200);
  });

  test('livez is 500 when the loop is wedged', async () => {
    const { get } = await serve({ alive: () => false });
    expect((await get('/livez')).status).toBe(500);
  });

  test('nothing else is served', async () => {
    const { get } = await serve();
    for (const path of ['/', '/metrics/', '/../metrics2', '//metrics', '/debug']) {
      expect((await get(path)).status).toBe(404);
    }
    const post = await get('/metrics', { method: 'POST', body: 'x'.repeat(100_000) });
    expect(post.status).toBe(405);
    expect(post.headers.get('allow')).toBe('GET, HEAD');
    expect(await get('/livez', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  });

  test('a metrics failure is a 500 without its message', async () => {
    const { get } = await serve({ text: () => Promise.reject(new Error('planted')) });
    const { status, body } = await get('/metrics');
    expect(status).toBe(500);
    expect(body).not.toContain('planted');
  });

  test('an unread body is not taken for the next request', async () => {
    const { server } = await serve();
    const socket = connect(server.port, '127.0.0.1');
    const smuggled = 'GET /livez HTTP/1.1\r\nhost: a\r\n\r\n';
    socket.write(
      `POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: ${smuggled.length}\r\n\r\n${smuggled}`,
    );
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(text).toContain('405');
  });

  test('an address that is taken is a configuration error with a remedy', async () => {
    const { server } = await serve();
    await expect(serveAt(server.port)).rejects.toMatchObject({
      code: 'config.invalid',
      message: expect.stringContaining(`127.0.0.1:${server.port}`),
      remedy: expect.stringContaining('http.port'),
    });
  });
});

function serveAt(port: number) {
  const health = createHealth();
  health.close();
  return openHttp({ host: '127.0.0.1', port, metrics: createMetrics(() => 0, false), health });
}
