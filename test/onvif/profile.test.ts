import { describe, expect, test } from 'vitest';
import { chooseProfile, parseProfiles } from '../../src/onvif/profile.ts';

describe('media profiles', () => {
  const profile = (token: string, encoding: string, width: number, height: number) => ({
    $: { token },
    name: `name of ${token}`,
    videoEncoderConfiguration: { encoding, resolution: { width, height } },
  });
  const chosenToken = (...profiles: object[]) => chooseProfile(parseProfiles(profiles), undefined).token;

  test('the largest up to 1080p is chosen, else the smallest, H.264 first', () => {
    const [small, hd, uhd] = [
      profile('s', 'H264', 640, 360),
      profile('hd', 'H264', 1920, 1080),
      profile('uhd', 'H265', 3840, 2160),
    ];
    expect(chosenToken(uhd, hd, small)).toBe('hd');
    expect(chosenToken(uhd, profile('qhd', 'H264', 2560, 1440))).toBe('qhd');
    expect(chosenToken(profile('hevc', 'H265', 1920, 1080), hd)).toBe('hd');
    expect(chosenToken({ $: { token: 'audio' } }, profile('mpeg4', 'MPEG4', 1280, 720), small)).toBe('s');
  });

  test('the configured one is chosen by token or name, and must have a supported codec', () => {
    const profiles = parseProfiles([profile('a', 'H264', 1, 1), profile('b', 'MPEG4', 1, 1)]);
    expect(chooseProfile(profiles, 'name of a').token).toBe('a');
    expect(() => chooseProfile(profiles, 'c')).toThrow(/no media profile c/);
    expect(() => chooseProfile(profiles, 'b')).toThrow(/no H.264/);
    expect(() => chooseProfile(parseProfiles(undefined), undefined)).toThrow(/no media profile/);
  });

  test('names have no line breaks or control characters', () => {
    expect(parseProfiles([{ $: { token: 1 }, name: 'a\nb\x1b[31m' }])[0]).toMatchObject({
      token: '1',
      name: 'a b[31m',
    });
  });
});
