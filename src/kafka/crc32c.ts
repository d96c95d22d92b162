/** CRC-32C (Castagnoli, RFC 3720 section 12.1), which Node has not: the checksum of record batches. */

const POLYNOMIAL = 0x82f63b78;
/** Bytes looked up at once: tables[k][b] is the checksum of b with k zero bytes behind it. */
const SLICE = 8;

const tables: readonly Uint32Array[] = (() => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    return crc;
  });
  const all = [first];
  for (let k = 1; k < SLICE; k += 1) {
    const before = all[k - 1]!;
    all.push(before.map((crc) => (crc >>> 8) ^ first[crc & 0xff]!));
  }
  return all;
})();
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array],
  ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array],
];

/** The checksum of `bytes` from `start` to the end, as an unsigned integer. */
export function crc32c(bytes: Uint8Array, start = 0): number {
  let crc = -1;
  let at = start;
  for (const end = bytes.length - SLICE; at <= end; at += SLICE) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
