/** The README's consumers on a broker: they print what was committed for their audience, and nothing else. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, describe, expect, inject, test, vi } from 'vitest';
import { keySets, sealedFor } from './cases.ts';
import { installConsumer, missingTool } from './languages.ts';

const broker = inject('broker');
const directory = mkdtempSync(join(tmpdir(), 'claimseal-consume-'));
const keyFile = join(directory, 'keys.jwks.json');
writeFileSync(keyFile, keySets['as keygen writes them']!);
afterAll(() => rmSync(directory, { recursive: true }));

/** Makes the topic: a tombstone, what was moved, an aborted transaction, then what is to be read. */
async function fill(brokers: readonly string[], topic: string, values: readonly string[], aborted: string) {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  const [first, second, ...rest] = values;
  const { sealed } = JSON.parse(first!) as { sealed: string };
  const moved = JSON.stringify({ ...JSON.parse(second!), sealed });
  const doomed = await producer.transaction();
  await doomed.send({ topic, messages: [{ key: null, value: aborted }] });
  await doomed.abort();
  const kept = await producer.transaction();
  const written = [null, moved, first!, second!, ...rest];
  await kept.send({ topic, messages: written.map((value) => ({ key: 'k', value })) });
  await kept.commit();
  await producer.disconnect();
}

describe.skipIf(broker === undefined)('a consumer', () => {
  test.for(['node', 'java'] as const)('in %s', { timeout: 300_000 }, async (language, { skip }) => {
    const missing = await missingTool(language);
    if (missing !== undefined) skip(missing);
    const program = await installConsumer[language]();
    const name = `reader-${randomBytes(6).toString('hex')}`;
    const topic = `identity.${name}`;
    const { values, views } = await sealedFor(name, ['aborted', 'a', 'b', 'c', 'd']);
    await fill(broker!.brokers, topic, values.slice(1), values[0]!);

    const args = [...program.args, broker!.brokers.join(','), topic, keyFile, name];
    const child = spawn(program.command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    try {
      await vi.waitFor(() => expect(stdout, stderr).toContain(views.at(-1)), {
        timeout: 60_000,
        interval: 100,
      });
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
    const [aborted, ...committed] = views;
    const lines = stdout.split('\n').filter(Boolean);
    // kafkajs reads committed records only as far as its limits go (README); the Java client is held to it
    expect(lines.filter((line) => language === 'java' || line !== aborted)).toEqual(committed);
    expect(stderr.match(/^\S+\/0\/\d+ refused$/gm)).toHaveLength(1);
  });
});
