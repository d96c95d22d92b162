import type { Node, ObjectNode, SourceRecord } from '../event.ts';
import type { Pointer } from './pointer.ts';

/** The value at a pointer without `*`; undefined where there is none. Segments never index an array. */
export function find(root: ObjectNode, pointer: Pointer): Node | undefined {
  let node: Node = root;
  for (const segment of pointer) {
    if (node.kind !== 'object') return undefined;
    const at: number = node.names.indexOf(segment);
    if (at === -1) return undefined;
    node = node.values[at]!;
  }
  return node;
}

/** The last header of a name, as Kafka's own `lastHeader` has it; undefined where there is none. */
export function lastHeader(record: SourceRecord, name: string): Buffer | null | undefined {
  const { headers } = record;
  for (let i = headers.length - 1; i >= 0; i -= 1) {
    if (headers[i]![0] === name) return headers[i]![1];
  }
  return undefined;
}
