/** Free ports of loopback. Two callers may be given the same one in a race: whoever binds it retries. */
import { createServer } from 'node:net';

const EPHEMERAL_FROM = 20_000;
const EPHEMERAL_TO = 32_000;

/**
 * Below the range from which the kernel hands out ports for outgoing connections, so that no client of a test
 * takes the port between this answer and the listener that wants it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = EPHEMERAL_FROM + Math.floor(Math.random() * (EPHEMERAL_TO - EPHEMERAL_FROM));
    const free = await new Promise<boolean>((done) => {
      const server = createServer().once('error', () => done(false));
      server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
    });
    if (free) return port;
  }
}
