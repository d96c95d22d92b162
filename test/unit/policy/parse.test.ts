import { describe, expect, test } from 'vitest';
import { documentOf, mistakesOf, pathsOf } from './support.ts';

const keys = { file: 'k.json' };

describe('structure', () => {
  test('the document to change is good', () => expect(mistakesOf(documentOf())).toEqual([]));

  test.each(['version', 'issuer', 'source', 'audiences', 'grants', 'unlisted', 'unmatched', 'record'])(
    '%s must be stated',
    (unset) => expect(pathsOf({ unset })).toContain(unset),
  );

  test.each([[null], [[]], ['text'], [undefined]])('%j is no document', (document) =>
    expect(mistakesOf(document)).toMatchObject([{ path: '(document)' }]),
  );

  test('every mistake at once, each with what was expected and found', () => {
    const mistakes = mistakesOf(
      documentOf({
        issuer: '',
        unlisted: 'keep',
        clear: ['id', '/a~2b'],
        grants: [
          { claims: [], to: ['payrol'] },
          { claims: ['/x'], to: ['payrol'] },
        ],
        qarantine: {},
      }),
    );
    expect(mistakes.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'issuer',
        'unlisted',
        'clear[0]',
        'clear[1]',
        'grants[0].claims',
        'grants[1].to[0]',
        'qarantine',
      ]),
    );
    for (const { expected, got } of mistakes) expect([expected, got]).not.toContain('');
    expect(mistakes.find(({ path }) => path === 'qarantine')?.hint).toBe('did you mean quarantine?');
    expect(mistakes.find(({ path }) => path === 'grants[1].to[0]')?.hint).toBe('did you mean payroll?');
  });

  test.each([
    ['audiences.payroll.colour', { audiences: { payroll: { keys, topic: 'p', colour: 1 } } }],
    ['source.maxByte', { source: { topics: ['e'], format: 'json', id: ['/id'], maxByte: 1 } }],
    ['record.keys', { record: { key: 'drop', keys: 1 } }],
    ['grants[0].whn', { grants: [{ claims: ['/x'], to: ['payroll'], whn: { '/type': 'a' } }] }],
  ])('an unknown member is a mistake: %s', (path, changes) => expect(pathsOf(changes)).toContain(path));

  test('another version is the only mistake', () =>
    expect(mistakesOf({ version: 2, anything: true })).toMatchObject([{ path: 'version', got: '2' }]));

  test.each([
    '{"__proto__": {}}',
    '{"grants": [{"claims": ["/x"], "to": ["payroll"], "when": {"__proto__": "a"}}]}',
  ])('a member __proto__ is never lost: %s', (text) => {
    const changes = JSON.parse(text);
    const document = Object.defineProperties(documentOf(), Object.getOwnPropertyDescriptors(changes));
    expect(mistakesOf(document).map(({ path }) => path)).toContainEqual(expect.stringContaining('__proto__'));
    expect(Object.prototype).not.toHaveProperty('claims');
  });

  test('a document that contains itself ends', () => {
    const document = documentOf();
    document['record'] = document;
    expect(mistakesOf(document)).not.toEqual([]);
  });
});

describe('what a later version may read is refused, not passed over', () => {
  test.each([
    ['audiences.tenant.each', { audiences: { tenant: { each: '/t', keys, topic: 't' } }, grants: [] }],
    ['source.split', { source: { topics: ['e'], format: 'json', id: ['/id'], split: '/r/*' } }],
    ['include', { include: ['other.yaml'] }],
    ['sign', { sign: { file: 'k' } }],
    ['audiences.payroll.layout', { audiences: { payroll: { keys, topic: 'p', layout: 'token' } } }],
    ['source.format', { source: { topics: ['e'], format: 'avro', id: ['/id'] } }],
    ['audiences.payroll.alg', { audiences: { payroll: { keys, topic: 'p', alg: 'RSA1_5' } } }],
    ['audiences.payroll.enc', { audiences: { payroll: { keys, topic: 'p', enc: 'A128CBC-HS256' } } }],
  ])('%s', (path, changes) => expect(pathsOf(changes)).toContain(path));

  test('a tag is refused with the reason', () => {
    const [mistake] = mistakesOf(documentOf({ grants: [{ claims: ['tag:PII'], to: ['payroll'] }] }));
    expect(mistake).toMatchObject({ path: 'grants[0].claims[0]', hint: expect.stringContaining('schema') });
  });

  test('a key set from a URL is refused', () =>
    expect(
      mistakesOf(
        documentOf({ audiences: { payroll: { keys: { url: 'https://x' }, topic: 'p' } }, grants: [] }),
      ),
    ).not.toEqual([]));
});

describe('secrets', () => {
  test('are not shown, nor is what came from the environment', () => {
    const text = JSON.stringify(mistakesOf(documentOf({ record: { key: 'hmac', secret: 'hunter2' } })));
    expect(text).toContain('record.secret');
    expect(text).not.toContain('hunter2');
  });
});
