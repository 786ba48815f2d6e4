import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate authority for tests, in a folder: `ca.pem`, and what `issue` adds. */
export class TestAuthority {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    this.#openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=test',
      '-days',
      '400',
    );
    writeFileSync(join(dir, 'index.txt'), '');
    writeFileSync(join(dir, 'index.txt.attr'), 'unique_subject = no\n');
    writeFileSync(join(dir, 'serial'), '1000\n');
    writeFileSync(
      join(dir, 'ca.conf'),
      '[ca]\ndefault_ca=test\n[test]\ndir=.\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\nprivate_key=ca.key\ncertificate=ca.pem\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n',
    );
  }

  get ca(): string {
    return join(this.#dir, 'ca.pem');
  }

  /** Writes `<file>.pem` and `<file>.key`; with `keystore`, both also in `<file>-keystore.pem`, as Kafka wants them. */
  issue(file: string, { name = file, seconds = 86_400 }: { name?: string; seconds?: number } = {}): void {
    const end = new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, '');
    this.#openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${file}.key`,
      '-out',
      `${file}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    this.#openssl(
      'ca',
      '-batch',
      '-notext',
      '-config',
      'ca.conf',
      '-extensions',
      'names',
      '-in',
      `${file}.csr`,
      '-out',
      `${file}.pem`,
      '-startdate',
      '20260101000000Z',
      '-enddate',
      end,
    );
    const [key, certificate] = [`${file}.key`, `${file}.pem`].map((each) =>
      readFileSync(join(this.#dir, each), 'utf8'),
    );
    writeFileSync(join(this.#dir, `${file}-keystore.pem`), `${key}${certificate}`);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#dir, stdio: 'pipe' });
  }
}
