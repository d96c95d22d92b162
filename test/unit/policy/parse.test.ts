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

describe('what another version may read is refused with a hint, not passed over', () => {
  const payroll = (more: object) => ({ audiences: { payroll: { keys, topic: 'p', ...more } }, grants: [] });
  const source = (more: object) => ({ source: { topics: ['e'], format: 'json', id: ['/id'], ...more } });
  test.each([
    ['audiences.payroll.each', payroll({ each: '/t' }), 'not in this version'],
    ['audiences.payroll.directory', payroll({ directory: 'd.yaml' }), 'not in this version'],
    ['audiences.payroll.layout', payroll({ layout: 'token' }), 'not in this version'],
    ['audiences.payroll.layout', payroll({ layout: 'inPlace' }), 'not in this version'],
    ['audiences.payroll.layout', payroll({ layout: 'shared' }), 'not in this version'],
    ['audiences.payroll.sign', payroll({ sign: true }), 'ACLs'],
    ['audiences.payroll.keys.url', payroll({ keys: { url: 'https://x' } }), 'into a file'],
    ['audiences.payroll.keys.trust', payroll({ keys: { file: 'f', trust: 'pinned' } }), 'url'],
    ['audiences.payroll.alg', payroll({ alg: 'RSA1_5' }), 'RSA-OAEP-256'],
    ['audiences.payroll.alg', payroll({ alg: 'RSA-OAEP' }), 'SHA-1'],
    ['audiences.payroll.alg', payroll({ alg: 'dir' }), 'refused'],
    ['audiences.payroll.alg', payroll({ alg: 'none' }), undefined],
    ['audiences.payroll.enc', payroll({ enc: 'A128CBC-HS256' }), undefined],
    ['source.split', source({ split: '/r/*' }), 'not in this version'],
    ['source.format', source({ format: 'avro' }), 'not in this version'],
    ['source.format', source({ format: 'jwt' }), 'not in this version'],
    ['include', { include: ['other.yaml'] }, 'not in this version'],
    ['sign', { sign: { file: 'k' } }, 'ACLs'],
  ])('%s of %j', (path, changes, hint) => {
    const mistake = mistakesOf(documentOf(changes)).find((m) => m.path === path);
    expect(mistake).toBeDefined();
    if (hint !== undefined) expect(mistake?.hint).toContain(hint);
  });

  test('a tag is refused with the reason', () => {
    const [mistake] = mistakesOf(documentOf({ grants: [{ claims: ['tag:PII'], to: ['payroll'] }] }));
    expect(mistake).toMatchObject({ path: 'grants[0].claims[0]', hint: expect.stringContaining('schema') });
  });
});

describe('secrets', () => {
  test('are not shown, nor is what came from the environment', () => {
    const text = JSON.stringify(mistakesOf(documentOf({ record: { key: 'hmac', secret: 'hunter2' } })));
    expect(text).toContain('record.secret');
    expect(text).not.toContain('hunter2');
  });
});
