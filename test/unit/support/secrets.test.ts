/** The search that other tests rely on finds what it must find. */
import { expect, test } from 'vitest';
import { leaks } from '../../support/secrets.ts';

const SECRET = 'zq7#Wörd-19';

test.each<readonly [form: string, text: string]>([
  ['as such', `x${SECRET}y`],
  ...[0, 1, 2].map(
    (n) =>
      [`base64 behind ${n} bytes`, Buffer.from(`${'.'.repeat(n)}${SECRET}tail`).toString('base64')] as const,
  ),
  ...[0, 1, 2].map(
    (n) =>
      [
        `base64url behind ${n} bytes`,
        Buffer.from(`${'.'.repeat(n)}${SECRET}t`).toString('base64url'),
      ] as const,
  ),
  ['hex', Buffer.from(`a${SECRET}b`).toString('hex')],
  ['JSON-escaped', [...SECRET].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
  ['percent-encoded', encodeURIComponent(SECRET)],
])('found %s', (_form, text) => {
  expect(leaks({ secret: SECRET }, { here: text })).not.toEqual([]);
});

test('nothing is found where nothing is', () => {
  expect(leaks({ secret: SECRET }, { here: 'zq7#Word-19' })).toEqual([]);
});
