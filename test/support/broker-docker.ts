import type { Broker, BrokerOptions } from './broker.ts';
export async function dockerMissing(): Promise<string | undefined> {
  return 'not yet';
}
export async function dockerBroker(
  _options: BrokerOptions & { log: (line: string) => void },
): Promise<Broker> {
  throw new Error('not yet');
}
