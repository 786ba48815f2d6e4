import { describe, expect, test } from 'vitest';
import { deviceUrl, parseDeviceUrl } from '../../src/camera/onvif-address.ts';
import { cameraOptions } from '../../src/camera/options.ts';
import { readClock } from '../../src/onvif/clock.ts';
import { readAnswer } from '../../src/onvif/discover.ts';
import { chooseProfile, readProfiles } from '../../src/onvif/profile.ts';
import { streamUrl } from '../../src/onvif/resolve.ts';

const accepts = (url: string) => cameraOptions.safeParse({ id: 'a', url });

describe('onvif:// URLs', () => {
  test('have usual port and path, credentials with any letters, and one profile', () => {
    expect(parseDeviceUrl('onvif://192.0.2.1')).toEqual({
      host: '192.0.2.1',
      port: 80,
      path: '/onvif/device_service',
      profile: undefined,
    });
    expect(parseDeviceUrl('onvif://u:p@ss@[fd00::1]:8080/x?profile=a%20b')).toMatchObject({
      host: '[fd00::1]',
      port: 8080,
      path: '/x',
      profile: 'a b',
    });
    expect(deviceUrl({ host: 'h', port: 80, path: '/onvif/device_service' })).toBe('onvif://h');
  });

  test.each([
    ['onvif://', /host/],
    ['onvif://h:99999', /URL/],
    ['onvif://h/?porfile=x', /porfile/],
  ])('%s is refused by the config', (url, why) => {
    expect(accepts(url).error?.issues[0]?.message).toMatch(why);
  });
});

describe('the stream’s address', () => {
  test('keeps port, path and query of the device, and the host that the user gave', () => {
    expect(streamUrl('rtsp://10.0.0.5:8554/a?b=1&c', '192.0.2.1')).toEqual({
      url: 'rtsp://192.0.2.1:8554/a?b=1&c',
      otherHost: '10.0.0.5',
    });
    expect(streamUrl('RTSPS://evil:pw@evil.example/x', 'cam.example')).toEqual({
      url: 'rtsps://cam.example/x',
      otherHost: null,
    });
    expect(streamUrl('rtsp://[::1]/x', '[fd00::1]').url).toBe('rtsp://[fd00::1]/x');
  });

  test.each([
    'http://h/x',
    'rtsp://h/a b',
    'rtsp://h/a\nb',
    '',
    undefined,
    {},
    `rtsp://h/${'x'.repeat(3000)}`,
  ])('refuses %j', (given) => expect(() => streamUrl(given, 'h')).toThrow(/RTSP address/));
});

describe('profiles', () => {
  const profile = (token: string, encoding: string, width: number, height: number) => ({
    $: { token },
    name: `name of ${token}`,
    videoEncoderConfiguration: { encoding, resolution: { width, height } },
  });
  const chosen = (...given: object[]) => chooseProfile(readProfiles(given), undefined).token;

  test('the largest up to 1080p, else the smallest, H.264 first', () => {
    const [small, hd, uhd] = [
      profile('s', 'H264', 640, 360),
      profile('hd', 'H264', 1920, 1080),
      profile('uhd', 'H265', 3840, 2160),
    ];
    expect(chosen(uhd, hd, small)).toBe('hd');
    expect(chosen(uhd, profile('qhd', 'H264', 2560, 1440))).toBe('qhd');
    expect(chosen(profile('hevc', 'H265', 1920, 1080), hd)).toBe('hd');
    expect(chosen({ $: { token: 'audio' } }, profile('mpeg4', 'MPEG4', 1280, 720), small)).toBe('s');
  });

  test('the one that is asked for, by token or name; what there is where it is not', () => {
    const profiles = readProfiles([profile('a', 'H264', 1, 1), profile('b', 'MPEG4', 1, 1)]);
    expect(chooseProfile(profiles, 'name of a').token).toBe('a');
    expect(() => chooseProfile(profiles, 'c')).toThrow(/no media profile c/);
    expect(() => chooseProfile(profiles, 'b')).toThrow(/no H.264/);
    expect(() => chooseProfile(readProfiles(undefined), undefined)).toThrow(/no media profile/);
  });

  test('names of a device are shown on one line', () => {
    expect(readProfiles([{ $: { token: 1 }, name: 'a\nb\x1b[31m' }])[0]).toMatchObject({
      token: '1',
      name: 'ab[31m',
    });
  });
});

test('a clock told in whole seconds is known within half a second and the way', () => {
  const xml = '<tt:UTCDateTime>';
  expect(readClock(new Date(10_000), xml, 9_000, 9_200)).toEqual({ offsetMs: 1_400, errorMs: 600 });
  expect(readClock(new Date(10_000), '<tt:LocalDateTime>', 9_000, 9_200)).toBeNull();
  expect(readClock(new Date(Number.NaN), xml, 9_000, 9_200)).toBeNull();
});

test('of an answer to discovery, the sender’s address counts, not what it says of others', () => {
  const answer = (XAddrs: unknown) => ({
    probeMatches: { probeMatch: { endpointReference: { address: 'urn:uuid:1' }, XAddrs } },
  });
  const [device] = readAnswer(answer('http://10.0.0.9:81/x http://192.0.2.1:8000/y'), '192.0.2.1');
  expect(device?.url).toBe('onvif://192.0.2.1:8000/y');
  expect(readAnswer(answer('http://10.0.0.9:81/x'), '192.0.2.1')[0]?.url).toBe('onvif://192.0.2.1:81/x');
  expect(readAnswer(answer('https://192.0.2.1/x'), '192.0.2.1')).toEqual([]);
  for (const broken of [undefined, '', {}, answer(7), { probeMatches: { probeMatch: [null, 1] } }])
    expect(readAnswer(broken, '192.0.2.1')).toEqual([]);
});
