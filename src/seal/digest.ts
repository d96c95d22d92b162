/** Digests for the rooms that must not import node:crypto. */
import { createHash, createHmac, createSecretKey } from 'node:crypto';

const SEPARATOR = Buffer.alloc(1);

/** SHA-256, base64url. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('base64url');
}

/**
 * HMAC-SHA-256 (RFC 2104) under `secret`, base64url, over the parts joined by a zero byte. Only the last part may
 * hold a zero byte itself, else two lists of parts could read the same.
 */
export function hmac(secret: Buffer): (...parts: readonly Buffer[]) => string {
  const key = createSecretKey(secret);
  return (...parts) => {
    const mac = createHmac('sha256', key);
    for (const [index, part] of parts.entries()) {
      if (index > 0) mac.update(SEPARATOR);
      mac.update(part);
    }
    return mac.digest('base64url');
  };
}
