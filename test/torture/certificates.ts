import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate authority whose client certificates end after seconds. */
export class CertificateAuthority {
  readonly ca: string;
  /** Key and certificate of the brokers, for localhost. */
  readonly keystore: string;
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
    this.ca = join(dir, 'ca.pem');
    this.keystore = join(dir, 'keystore.pem');
    this.#openssl(
      'req',
      '-x509',
      ...KEY,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=ca',
      '-days',
      '2',
    );
    writeFileSync(join(dir, 'index.txt'), '');
    writeFileSync(join(dir, 'index.txt.attr'), 'unique_subject = no\n');
    writeFileSync(join(dir, 'serial'), '1000\n');
    writeFileSync(
      join(dir, 'ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${dir}/index.txt\nserial=${dir}/serial\nnew_certs_dir=${dir}
default_md=sha256\npolicy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n`,
    );
    this.#issue('broker', 86_400);
    writeFileSync(this.keystore, this.#read('broker.key') + this.#read('broker.pem'));
  }

  /** Writes `client.pem` and `client.key`, valid for `seconds`. The old files are replaced one after the other. */
  issueClient(seconds: number): { certificate: string; key: string } {
    this.#issue('client.new', seconds);
    const certificate = join(this.#dir, 'client.pem');
    const key = join(this.#dir, 'client.key');
    renameSync(join(this.#dir, 'client.new.pem'), certificate);
    renameSync(join(this.#dir, 'client.new.key'), key);
    return { certificate, key };
  }

  #issue(name: string, seconds: number): void {
    const subject = `/CN=${name.split('.', 1)[0]}`;
    this.#openssl('req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
    const time = (offset: number) =>
      `${new Date(Date.now() + offset * 1000).toISOString().replace(/[-:T]|\.\d+/g, '')}`;
    this.#openssl(
      ...['ca', '-batch', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-notext'],
      ...['-startdate', time(-60), '-enddate', time(seconds), '-in', `${name}.csr`, '-out', `${name}.pem`],
    );
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.#dir, stdio: 'pipe' });
  }

  #read(file: string): string {
    return readFileSync(join(this.#dir, file), 'utf8');
  }
}

const KEY = ['-newkey', 'rsa:2048', '-nodes'] as const;
