declare module 'lz4js' {
  /** Bytes that a frame may decompress to. */
  export function decompressBound(frame: Uint8Array): number;
  /** Decompresses a frame into `output`; returns how many bytes it wrote. */
  export function decompressFrame(frame: Uint8Array, output: Uint8Array): number;
}
