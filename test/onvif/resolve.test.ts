import { describe, expect, test } from 'vitest';
import { streamUrl } from '../../src/onvif/resolve.ts';

describe('the stream URL', () => {
  test('has the port, path and query of the device, and the configured host', () => {
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
  ])('is not %j', (url) => expect(() => streamUrl(url, 'h')).toThrow(/RTSP address/));
});
