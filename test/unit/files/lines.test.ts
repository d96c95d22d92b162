import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readLines } from '../../../src/files/index.ts';

async function read(chunks: readonly (string | Buffer)[], maxBytes?: number) {
  const lines: (readonly [number, string])[] = [];
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  for await (const some of readLines(stream, 'x.ndjson', maxBytes)) {
    for (const { number, bytes } of some) lines.push([number, bytes.toString()]);
  }
  return lines;
}

describe('lines', () => {
  test.each<readonly [string, readonly string[], readonly (readonly [number, string])[]]>([
    ['nothing', [], []],
    ['one line feed', ['\n'], []],
    [
      'two lines',
      ['a\nb\n'],
      [
        [0, 'a'],
        [1, 'b'],
      ],
    ],
    [
      'a last line without line feed',
      ['a\nb'],
      [
        [0, 'a'],
        [1, 'b'],
      ],
    ],
    [
      'a line over many chunks',
      ['a', 'b', '', 'c\nd'],
      [
        [0, 'abc'],
        [1, 'd'],
      ],
    ],
    [
      'a line feed at the edge of a chunk',
      ['a\n', 'b\n'],
      [
        [0, 'a'],
        [1, 'b'],
      ],
    ],
    [
      'blank lines, left out and counted',
      ['\na\n \r\n\t\nb\n\n'],
      [
        [1, 'a'],
        [4, 'b'],
      ],
    ],
    [
      'carriage returns stay: white space in JSON',
      ['a\r\nb\r\n'],
      [
        [0, 'a\r'],
        [1, 'b\r'],
      ],
    ],
  ])('%s', async (_name, chunks, expected) => {
    expect(await read(chunks)).toEqual(expected);
  });

  test('are those of split, however the bytes arrive', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.stringMatching(/^[a-z\n]*$/)), async (chunks) => {
        const expected = chunks
          .join('')
          .split('\n')
          .flatMap((line, i) => (line === '' ? [] : [[i, line]]));
        expect(await read(chunks)).toEqual(expected);
      }),
    ));

  test('one that does not end is refused, not collected', async () => {
    await expect(read(['ok\n', 'x'.repeat(60), 'x'.repeat(60)], 100)).rejects.toMatchObject({
      code: 'file.unreadable',
      message: expect.stringContaining('line 2'),
    });
  });

  test('a stream that fails names the file', async () => {
    const stream = new Readable({
      read() {
        this.destroy(Object.assign(new Error('secret'), { code: 'EIO' }));
      },
    });
    const reading = (async () => {
      for await (const _ of readLines(stream, 'x.ndjson'));
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'file.unreadable',
      place: { file: 'x.ndjson' },
      message: 'cannot be read (EIO)',
    });
  });
});
