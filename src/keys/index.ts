/**
 * The keys room: JWK Sets become snapshots of the keys to seal to.
 *
 * It holds reading and re-reading of key files, the choice among the keys of a set, and how long a set that cannot be
 * read stays good. It refuses to look into a key: checks are the seal room's, handed in as `parse`. A well-formed set
 * is obeyed, even where that halts: only what cannot be read or parsed keeps the last good one, until `maxStale`.
 */
export type { KeySource } from './key-set.ts';
export { type OpenKeys, openKeys } from './open-keys.ts';
