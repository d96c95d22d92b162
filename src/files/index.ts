/**
 * NDJSON as source and sink: batch reprocessing without Kafka. Refuses to overwrite, and to leave a part of a file
 * under its final name.
 */
export { readLines } from './lines.ts';
export { formatOutputLine, parseOutputLine } from './output-line.ts';
export { type FileSinkTarget, openFileSink } from './sink.ts';
export { openFileSource, openStream } from './source.ts';
