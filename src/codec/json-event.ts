import { COMPOSED, type Event, type Node, type ObjectNode, type ScalarNode } from '../event.ts';

/**
 * A scanned JSON text: its tree, and the bytes that the tree's coordinates point into. Those are the text's own
 * bytes without insignificant white space.
 */
export class JsonEvent<Root extends Node = ObjectNode> implements Pick<Event, 'text'> {
  readonly root: Root;
  readonly bytes: Buffer;

  constructor(root: Root, bytes: Buffer) {
    this.root = root;
    this.bytes = bytes;
  }

  text(node: ScalarNode): string {
    if (node.start === COMPOSED) return 'null';
    if (node.kind !== 'string') return this.bytes.toString('latin1', node.start, node.end);
    return unescaped(this.bytes.toString('utf8', node.start + 1, node.end - 1));
  }
}

/** The value of a string's body that was found to be well formed. */
export function unescaped(body: string): string {
  return body.includes('\\') ? JSON.parse(`"${body}"`) : body;
}
