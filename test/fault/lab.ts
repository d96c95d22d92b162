/** A broker of its own with two proxies in front, one for each instance. */
import { requireBroker } from '../support/broker.ts';
import { freePort } from '../support/ports.ts';
import { openProxy } from './proxy.ts';
import type { Lab } from './scenarios.ts';

/** Of a network that documentation may use and nobody routes (RFC 5737). */
export const BEYOND_LOOPBACK = '192.0.2.1:9092';

export interface OpenLab extends Lab {
  /** A listener on loopback that sends its clients to `BEYOND_LOOPBACK`. */
  readonly beyond: string;
  close(): Promise<void>;
}

export async function openLab(): Promise<OpenLab> {
  const ports = [await freePort(), await freePort()] as const;
  const broker = await requireBroker({
    listeners: [
      { name: 'ONE', advertised: `127.0.0.1:${ports[0]}` },
      { name: 'TWO', advertised: `127.0.0.1:${ports[1]}` },
      { name: 'BEYOND', advertised: BEYOND_LOOPBACK },
    ],
  });
  const target = (name: string) => Number(broker.listeners[name]!.split(':').at(-1));
  const proxies = [
    await openProxy(ports[0], target('ONE')),
    await openProxy(ports[1], target('TWO')),
  ] as const;
  return {
    brokers: broker.brokers,
    beyond: broker.listeners['BEYOND']!,
    proxies,
    pause: broker.pause,
    resume: broker.resume,
    close: async () => {
      for (const proxy of proxies) await proxy.close();
      await broker.stop();
    },
  };
}
