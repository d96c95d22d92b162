/** A certificate authority for one test run, and a server certificate for loopback signed by it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TlsMaterial {
  /** PEM. */
  readonly ca: string;
  /** PEM, the authority's certificate after it. */
  readonly chain: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** Makes both with `openssl`. Throws where it is not installed. */
export function makeTls(): TlsMaterial {
  const dir = mkdtempSync(join(tmpdir(), 'claimseal-tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  try {
    const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=claimseal test CA',
    );
    openssl('req', ...newKey.slice(0, 3), '-keyout', 'key.pem', '-out', 'csr.pem', '-subj', '/CN=localhost');
    writeFileSync(join(dir, 'ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext'];
    openssl('x509', '-req', '-in', 'csr.pem', '-out', 'cert.pem', ...signed);
    const read = (name: string) => readFileSync(join(dir, name), 'utf8');
    return { ca: read('ca.pem'), chain: read('cert.pem') + read('ca.pem'), key: read('key.pem') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
