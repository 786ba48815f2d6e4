import { describe, expect, test } from 'vitest';
import { deviceUrl, parseDeviceUrl } from '../../src/camera/onvif-address.ts';
import { cameraOptions } from '../../src/camera/options.ts';

const validate = (url: string) => cameraOptions.safeParse({ id: 'a', url });

describe('onvif:// URLs', () => {
  test('have a default port and path, credentials with any characters, and at most one profile', () => {
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
  ])('%s is rejected by the config', (url, why) => {
    expect(validate(url).error?.issues[0]?.message).toMatch(why);
  });
});
