import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { addressEntry, allowedAddress } from '../../src/camera/address-list.ts';
import { hostOf } from '../../src/camera/credentials.ts';

const byDefault = [{ setting: 'cluster.sources.networks', allow: null }];
const only = (...allow: string[]) => [{ setting: 'cluster.secrets.hosts', allow }];

describe('by default a guest camera may be anywhere but', () => {
  test.each([
    '127.0.0.1',
    '127.9.9.9',
    'localhost',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '0',
    '0.0.0.0',
    '169.254.169.254',
    '169.254.1.1',
    '0xa9fea9fe',
    '100.100.100.200',
    '168.63.129.16',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::127.0.0.1',
    '64:ff9b::169.254.169.254',
    '2002:7f00:1::',
    'fe80::1',
    'ff02::1',
    'fd00:ec2::254',
    ...Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
  ])('%s', async (host) => {
    await expect(allowedAddress(host, byDefault)).rejects.toMatchObject({
      code: 'CAMERA_NOT_ALLOWED',
      message: expect.stringContaining('cluster.sources.networks'),
    });
  });

  test.each(['10.0.0.7', '192.168.1.20', '203.0.113.9', '2001:db8::7', 'fd12::7'])('not %s', async (host) => {
    expect(await allowedAddress(host, byDefault)).toBe(host);
  });
});

test('a list allows exactly what it names', async () => {
  expect(await allowedAddress('10.1.2.3', only('10.0.0.0/8'))).toBe('10.1.2.3');
  expect(await allowedAddress('::ffff:10.1.2.3', only('10.0.0.0/8'))).toBe('::ffff:10.1.2.3');
  expect(await allowedAddress('localhost', only('LOCALHOST.'))).toMatch(/^(127\.0\.0\.1|::1)$/);
  expect(await allowedAddress('127.0.0.1', only('127.0.0.0/8'))).toBe('127.0.0.1');
  for (const host of ['11.0.0.1', '127.0.0.1', 'localhost', '2001:db8::1'])
    await expect(allowedAddress(host, only('10.0.0.0/8', 'cam.example'))).rejects.toThrow(
      'cluster.secrets.hosts',
    );
  await expect(allowedAddress('10.0.0.1', only())).rejects.toThrow('cluster.secrets.hosts');
});

test('every rule must hold', async () => {
  await expect(allowedAddress('203.0.113.9', [...byDefault, ...only('10.0.0.0/8')])).rejects.toThrow(
    'cluster.secrets.hosts does not allow a camera at 203.0.113.9',
  );
});

test.each(['10.0.0.0/33', '10.0.0', '10.0.0.0/x', '0x7f.1', 'a b', 'http://h', '10.0.0.0/8/8', '-a', ''])(
  '%s is no address, network or name',
  (entry) => {
    expect(addressEntry.safeParse(entry).success).toBe(false);
  },
);
test.each(['10.0.0.0/8', '10.0.0.1', '2001:db8::/32', 'cam-1.example.com', 'cam'])('%s is one', (entry) => {
  expect(addressEntry.safeParse(entry).success).toBe(true);
});

describe('the host of a URL', () => {
  test.each([
    ['rtsp://10.0.0.1/live', '10.0.0.1', 'rtsp://[::7]/live'],
    ['rtsps://u:p@cam:322/a?b=c@d', 'cam', 'rtsps://u:p@[::7]:322/a?b=c@d'],
    ['onvif://[2001:db8::1]:80', '2001:db8::1', 'onvif://[::7]:80'],
  ])('%s', (url, host, replaced) => {
    expect(hostOf(url)?.host).toBe(host);
    expect(hostOf(url)?.replace('::7')).toBe(replaced);
  });

  test.each([
    'rtsp://10.0.0.1#@127.0.0.1/',
    'rtsp://10.0.0.1:554#@127.0.0.1/',
    'rtsp://10.0.0.1/a#@127.0.0.1/',
    'rtsp://10.0.0.1%23@127.0.0.1:80:81/',
    'rtsp://127%2e0.0.1/',
    'rtsp://１２７.0.0.1/',
    'rtsp://10.0.0.1\t/',
    'rtsp://10.0.0.1/\r\nx',
    'rtsp:///x',
    'rtsp://',
  ])('is not clear: %s', (url) => {
    expect(hostOf(url)).toBeNull();
  });
});
