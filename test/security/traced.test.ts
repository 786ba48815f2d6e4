import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { readTrace } from './traced.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-trace-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

// Lines as strace 6.1 prints them with -y.
test('a trace names whom a command addressed first, its own sockets, and the files that it opened', () => {
  const lines = [
    'connect(26<socket:[7]>, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.53")}, 16) = 0',
    'connect(27<socket:[8]>, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 EINPROGRESS (Operation now in progress)',
    'connect(28<socket:[9]>, {sa_family=AF_UNIX, sun_path="/run/dbus/system_bus_socket"}, 110) = 0',
    'connect(28<socket:[9]>, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("192.0.2.9")}, 16) = 0',
    'bind(29<socket:[10]>, {sa_family=AF_INET, sin_port=htons(8554), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
    'getsockname(30<socket:[11]>, {sa_family=AF_INET, sin_port=htons(40001), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]) = 0',
    'recvmsg(30<socket:[11]>, {msg_name={sa_family=AF_INET, sin_port=htons(5000), sin_addr=inet_addr("192.0.2.1")}, msg_namelen=16, msg_iov=[{iov_base="x", iov_len=1}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 1',
    'sendmsg(30<socket:[11]>, {msg_name={sa_family=AF_INET, sin_port=htons(5000), sin_addr=inet_addr("192.0.2.1")}, msg_namelen=16, msg_iov=[{iov_base="y", iov_len=1}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 1',
    'sendmmsg(31<socket:[12]>, [{msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(3702), sin_addr=inet_addr("239.255.255.250")}, msg_namelen=16, msg_iov=[{iov_base="z", iov_len=1}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, msg_len=1}], 1, 0) = 1',
    'openat(AT_FDCWD</cwd>, "/etc/machine-id", O_RDONLY) = 22</etc/machine-id>',
    'openat(26</home/x>, "deviceid.tmp", O_WRONLY|O_CREAT|O_EXCL, 0600) = 27</home/x/deviceid.tmp>',
    'openat(AT_FDCWD</cwd>, "missing", O_RDONLY) = -1 ENOENT (No such file or directory)',
    'renameat(26</home/x>, "deviceid.tmp", 26</home/x>, "deviceid") = 0',
    'rename("/a.new", "/a") = 0',
  ];
  writeFileSync(join(folder, 't.1'), `${lines.join('\n')}\n`);
  const { destinations, own, read, written } = readTrace(folder);
  expect(destinations).toEqual([
    ...['/run/dbus/system_bus_socket', '192.0.2.53:53', '239.255.255.250:3702', '[2001:db8::1]:443'],
  ]);
  expect([...own]).toEqual(['127.0.0.1:8554', '127.0.0.1:40001']);
  expect([...read]).toEqual(['/etc/machine-id']);
  expect([...written]).toEqual(['/home/x/deviceid.tmp', 'deviceid', '/a']);
});
