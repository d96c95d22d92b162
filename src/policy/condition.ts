/** The tests of a `when`, compiled: each asks one event one question, and what is absent answers no. */
import type { Event, Node, SourceRecord } from '../event.ts';
import { find, lastHeader } from './find.ts';
import { equalsNumber } from './number.ts';
import type { Scalar, Subject, Test } from './values.ts';

export type Condition = (event: Event, record: SourceRecord) => boolean;

/** All tests must hold. */
export function compileCondition(tests: readonly Test[]): Condition {
  const compiled = tests.map(compileTest);
  return (event, record) => compiled.every((holds) => holds(event, record));
}

function compileTest(test: Test): Condition {
  const { subject } = test;
  if (subject.kind === 'pointer') {
    const { pointer } = subject;
    if ('has' in test) return (event) => find(event.root, pointer) !== undefined;
    const matchers = test.anyOf.map(matchNode);
    return (event) => {
      const node = find(event.root, pointer);
      return node !== undefined && matchers.some((matches) => matches(event, node));
    };
  }
  const bytesOf = readBytes(subject);
  if ('has' in test) return (_event, record) => bytesOf(record) !== undefined;
  const matchers = test.anyOf.filter((value) => typeof value === 'string').map(matchBytes);
  return (_event, record) => {
    const bytes = bytesOf(record);
    return bytes !== undefined && bytes !== null && matchers.some((matches) => matches(bytes));
  };
}

/** A header may be there with the value null; a null key is no key. */
function readBytes(
  subject: Exclude<Subject, { kind: 'pointer' }>,
): (record: SourceRecord) => Buffer | null | undefined {
  switch (subject.kind) {
    case 'header':
      return (record) => lastHeader(record, subject.name);
    case 'key':
      return (record) => record.key ?? undefined;
    case 'topic':
      return (record) => Buffer.from(record.topic);
  }
}

/** By type and exact value; of strings only, a trailing `*` makes a prefix. */
function matchNode(wanted: Scalar): (event: Event, node: Node) => boolean {
  if (typeof wanted === 'string') {
    const matches = wanted.endsWith('*')
      ? startsWith(wanted.slice(0, -1))
      : (text: string) => text === wanted;
    return (event, node) => node.kind === 'string' && matches(event.text(node));
  }
  if (typeof wanted === 'number') {
    const equals = equalsNumber(wanted);
    return (event, node) => node.kind === 'number' && equals(event.text(node));
  }
  if (wanted === null) return (_event, node) => node.kind === 'null';
  const spelled = String(wanted);
  return (event, node) => node.kind === 'boolean' && event.text(node) === spelled;
}

const startsWith = (prefix: string) => (text: string) => text.startsWith(prefix);

/** Bytes are compared, so that what is no UTF-8 equals nothing. */
function matchBytes(wanted: string): (bytes: Buffer) => boolean {
  const prefix = wanted.endsWith('*');
  const expected = Buffer.from(prefix ? wanted.slice(0, -1) : wanted);
  if (!prefix) return (bytes) => bytes.equals(expected);
  return (bytes) => bytes.length >= expected.length && expected.compare(bytes, 0, expected.length) === 0;
}
