/** The loop, with stand-ins for its own ports only. */
import { describe, expect, test } from 'vitest';
import { ClaimsealError, type Code } from '../../src/errors.ts';
import type { Audience, Notice, ObjectNode, Output, SourceRecord } from '../../src/event.ts';
import {
  type Batch,
  type Plan,
  runPipeline,
  type Sink,
  type Source,
  type Stages,
} from '../../src/pipeline.ts';

const root: ObjectNode = { kind: 'object', start: 0, end: 2, names: [], nameStarts: [], values: [] };
const audience = (name: string): Audience => ({
  name,
  aud: name,
  topic: `t.${name}`,
  sealed: name !== 'router',
});

function record(offset: number, value: string | null, more: Partial<SourceRecord> = {}): SourceRecord {
  return {
    topic: 'in',
    partition: 3,
    offset: String(offset),
    timestamp: '1700000000000',
    key: Buffer.from('key'),
    value: value === null ? null : Buffer.from(value),
    headers: [['h', Buffer.from('x')]],
    ...more,
  };
}

/** A policy whose decisions are told by the record itself: `ok`, `none`, or the code to throw. */
function stages(more: Partial<Stages> = {}): Stages & { notices: Notice[] } {
  const notices: Notice[] = [];
  const audiences = ['payroll', 'siem', 'router'].map(audience);
  const plan: Plan = {
    digest: 'D',
    audiences,
    sealedPath: ['sealed'],
    unmatched: 'drop',
    decide: (_, { value }) => {
      const word = value!.toString();
      if (word === 'bug') throw new TypeError('secret-in-a-message');
      if (word !== 'ok' && word !== 'none') throw new ClaimsealError(word as Code, 'bad');
      return {
        evt: '["id"]',
        clear: root,
        views: word === 'ok' ? audiences.slice(0, 2).map((a) => ({ audience: a, root })) : [],
        routed: audiences.slice(2),
        matched: word === 'ok',
      };
    },
    recordKey: (_, key) => key,
    recordHeaders: () => [],
  };
  return {
    codec: {
      contentType: 'application/json',
      decode: () => ({ root, text: () => '' }),
      write: (_, __, member) => Buffer.from(member ? `env(${member.value})` : 'view'),
    },
    plan,
    sealer: { use: () => {}, seal: (aud, evt, plain) => `jwe(${aud},${evt},${plain.toString()})` },
    keys: { current: () => new Map() },
    quarantine: { aud: 'quarantine', topic: 't.quarantine', maxShare: undefined },
    setAside: new Set(),
    digest: () => 'digest',
    observe: (notice) => notices.push(notice),
    notices,
    ...more,
  };
}

async function run(records: readonly SourceRecord[], s: Stages, admit: Sink['admit'] = () => {}) {
  const delivered: (readonly Output[])[] = [];
  const batch: Batch = { topic: 'in', partition: 3, records };
  const source: Source = { run: (each) => each(batch), stop: async () => {} };
  const sink: Sink = {
    admit,
    deliver: async (_, outputs) => {
      delivered.push(...outputs);
    },
  };
  await runPipeline(source, sink, s);
  return delivered;
}
const topics = (outputs: readonly Output[] | undefined) => outputs?.map((o) => o.topic);

describe('one event', () => {
  test('goes sealed to each audience that is granted, and clear to those without keys', async () => {
    const [outputs] = await run([record(7, 'ok')], stages());
    expect(topics(outputs)).toEqual(['t.payroll', 't.siem', 't.router']);
    expect(outputs!.map((o) => o.value?.toString())).toEqual([
      'env(jwe(payroll,["id"],view))',
      'env(jwe(siem,["id"],view))',
      'view',
    ]);
    expect(outputs!.every((o) => o.partition === 3 && o.timestamp === '1700000000000')).toBe(true);
  });

  test('a tombstone goes to every audience as it is', async () => {
    const [outputs] = await run([record(7, null)], stages());
    expect(outputs!.map((o) => [o.topic, o.value])).toEqual([
      ['t.payroll', null],
      ['t.siem', null],
      ['t.router', null],
    ]);
  });

  test('unmatched: the audiences without keys still get it, and it is counted', async () => {
    const s = stages();
    const [outputs] = await run([record(7, 'none')], s);
    expect(topics(outputs)).toEqual(['t.router']);
    expect(s.notices.find((n) => n.type === 'batch')).toMatchObject({ unmatched: 1, events: 1 });
  });

  test('unmatched: quarantine takes it whole', async () => {
    const s = stages();
    const [outputs] = await run([record(7, 'none')], { ...s, plan: { ...s.plan, unmatched: 'quarantine' } });
    expect(topics(outputs)).toEqual(['t.quarantine']);
  });
});

describe('a bad record', () => {
  test('is sealed whole, bound to its coordinates, and the batch goes on', async () => {
    const s = stages();
    const delivered = await run([record(7, 'ok'), record(8, 'event.shape'), record(9, 'ok')], s);
    expect(delivered.map((o) => o.length)).toEqual([3, 1, 3]);
    const [output] = delivered[1]!;
    expect(output).toMatchObject({ topic: 't.quarantine', key: null, partition: 3 });
    const [, evt] = /jwe\(quarantine,(\[[^\]]*\]),(.*)\)$/.exec(output!.value!.toString())!;
    expect(JSON.parse(evt!)).toEqual(['in', 3, 8]);
    const content = JSON.parse(output!.value!.toString().slice(`jwe(quarantine,${evt},`.length, -1));
    expect(Buffer.from(content.value, 'base64').toString()).toBe('event.shape');
    expect(content).toMatchObject({
      topic: 'in',
      partition: 3,
      offset: '8',
      code: 'event.shape',
      reason: 'bad',
    });
    expect(content.headers).toEqual([['h', Buffer.from('x').toString('base64')]]);
    expect(Object.fromEntries(output!.headers.map(([n, v]) => [n, v.toString()]))).toMatchObject({
      'content-type': 'application/jose',
      'claimseal-code': 'event.shape',
      'claimseal-policy': 'D',
    });
    expect(s.notices.filter((n) => n.type === 'quarantined')).toEqual([
      { type: 'quarantined', code: 'event.shape', topic: 'in', partition: 3, offset: '8', reason: 'bad' },
    ]);
  });

  test('halts where there is no quarantine, and nothing of the batch is delivered', async () => {
    const delivered = run([record(7, 'ok'), record(8, 'event.shape')], stages({ quarantine: undefined }));
    await expect(delivered).rejects.toMatchObject({ code: 'quarantine.missing', place: { offset: '8' } });
  });

  test('an output that no topic takes quarantines the event, all its outputs included', async () => {
    const admit = (output: Output) => {
      if (output.topic === 't.siem') throw new ClaimsealError('output.tooLarge', 'too large');
    };
    const [outputs] = await run([record(7, 'ok')], stages(), admit);
    expect(topics(outputs)).toEqual(['t.quarantine']);
  });

  test('too large even for quarantine halts; set aside, its digest stands for it', async () => {
    const admit = (output: Output) => {
      if (output.topic === 't.quarantine' && output.value!.includes('"value"'))
        throw new ClaimsealError('output.tooLarge', 'an output is too large', { remedy: 'raise it' });
    };
    const bad = record(8, 'event.shape');
    await expect(run([bad], stages(), admit)).rejects.toMatchObject({
      code: 'quarantine.refused',
      message: expect.stringContaining('an output is too large'),
      remedy: expect.stringMatching(/^raise it; or .*--quarantine-offset in\/3\/8/),
    });
    const [outputs] = await run([bad], stages({ setAside: new Set(['in/3/8']) }), admit);
    expect(outputs![0]!.value!.toString()).toContain('"digest":"digest"');
    expect(outputs![0]!.value!.toString()).not.toContain(Buffer.from('event.shape').toString('base64'));
  });

  test('a quarantine that cannot even take the digest halts, and so does one that fails in another way', async () => {
    const s = stages({ setAside: new Set(['in/3/8']) });
    const failing = (code: Code) => () => {
      throw new ClaimsealError(code, 'no');
    };
    const halted = (code: Code) => run([record(8, 'ok')], s, failing(code));
    await expect(halted('output.nullKey')).rejects.toMatchObject({ code: 'quarantine.refused' });
    await expect(halted('kafka.topic')).rejects.toMatchObject({ code: 'kafka.topic' });
  });

  test.each([
    ['a partition', { partition: '3],"x":[1' as unknown as number }],
    ['an offset', { offset: '8],"aud":"payroll","x":[1' }],
    ['an offset with leading zeros', { offset: '08' }],
    ['an empty offset', { offset: '' }],
  ])('%s that is no integer halts: it would be read as members of the header', async (_, more) => {
    const bad = { ...record(8, 'event.shape'), ...more };
    await expect(run([bad], stages())).rejects.toMatchObject({ code: 'internal' });
  });

  test('the operator can set any record aside, a good one too', async () => {
    const [outputs] = await run([record(7, 'ok')], stages({ setAside: new Set(['in/3/7']) }));
    expect(topics(outputs)).toEqual(['t.quarantine']);
  });
});

describe('halting', () => {
  test('what nobody thought of halts with coordinates, and its message says nothing of the cause', async () => {
    const failed = await run([record(7, 'bug')], stages()).catch((e: unknown) => e);
    expect(failed).toMatchObject({
      code: 'internal',
      disposition: 'halt',
      place: { topic: 'in', offset: '7' },
    });
    expect((failed as ClaimsealError).remedy).toContain('--quarantine-offset in/3/7');
    expect((failed as Error).message).not.toContain('secret');
  });

  test('a missing key halts before the batch, even when every record is bad', async () => {
    const current = () => {
      throw new ClaimsealError('keys.none', 'no key');
    };
    await expect(run([record(7, 'event.shape')], stages({ keys: { current } }))).rejects.toMatchObject({
      code: 'keys.none',
    });
  });

  test('a batch that comes again is counted once', async () => {
    const s = stages({ quarantine: { aud: 'quarantine', topic: 't.quarantine', maxShare: 0.1 } });
    const records = Array.from({ length: 1000 }, (_, i) => record(i, i < 60 ? 'event.shape' : 'ok'));
    const batch = { topic: 'in', partition: 3, records };
    let attempts = 0;
    const source: Source = {
      run: async (each) => {
        for (let tries = 0; tries < 5; tries += 1) await each(batch).catch(() => {});
        await each(batch);
      },
      stop: async () => {},
    };
    const deliver = async () => {
      attempts += 1;
      if (attempts <= 5) throw new ClaimsealError('kafka.session', 'not now');
    };
    await runPipeline(source, { admit: () => {}, deliver }, s);
    expect(attempts).toBe(6);
  });

  test('more than the stated share of bad records halts, fewer do not', async () => {
    const quarantine = { aud: 'quarantine', topic: 't.quarantine', maxShare: 0.1 };
    const some = (bad: number) =>
      Array.from({ length: 1000 }, (_, i) => record(i, i < bad ? 'event.shape' : 'ok'));
    await expect(run(some(100), stages({ quarantine }))).resolves.toHaveLength(1000);
    await expect(run(some(101), stages({ quarantine }))).rejects.toMatchObject({ code: 'quarantine.share' });
  });
});
