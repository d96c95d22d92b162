/** The demo's events: what a small identity provider would publish. */
const CITIES = ['Utrecht', 'Porto', 'Tartu', 'Ghent'];

export function demoEvent(n: number): { key: string; value: string; headers: Record<string, string> } {
  const user = n % 2500;
  const consent = n % 5 === 4;
  const value = {
    specversion: '1.0',
    id: `evt-${String(n).padStart(6, '0')}`,
    source: '/idp/eu-1',
    type: consent ? 'consent.given' : 'user.updated',
    time: new Date(1_790_000_000_000 + n * 40).toISOString(),
    data: {
      subject: `sub-${user}`,
      ...(consent
        ? { consents: [{ scope: `profile.read app-${n % 11}` }, { scope: 'mail.send' }] }
        : {
            email: `user${user}@corp.example`,
            address: {
              street: `${1 + (n % 200)} Canal Street`,
              city: CITIES[n % 4],
              postalCode: `${1000 + user}`,
            },
            roles: ['employee', `team-${n % 17}`],
            secretIds: [`vault/${user}/api-key`],
          }),
    },
  };
  return {
    key: `sub-${user}`,
    value: JSON.stringify(value),
    headers: { traceparent: `00-${n.toString(16).padStart(32, '0')}-01` },
  };
}
