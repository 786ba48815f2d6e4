import { expect, test } from 'vitest';
import { parseProbeMatches } from '../../src/onvif/discover.ts';

test('a device is reached at the address that its ProbeMatches came from, not at others that it lists', () => {
  const probeMatches = (XAddrs: unknown) => ({
    probeMatches: { probeMatch: { endpointReference: { address: 'urn:uuid:1' }, XAddrs } },
  });
  const urls = (message: unknown) => parseProbeMatches(message, '192.0.2.1').map(({ url }) => url);
  expect(urls(probeMatches('http://10.0.0.9:81/x http://192.0.2.1:8000/y'))).toEqual([
    'onvif://192.0.2.1:8000/y',
  ]);
  expect(urls(probeMatches('http://10.0.0.9:81/x'))).toEqual(['onvif://192.0.2.1:81/x']);
  expect(urls(probeMatches('https://192.0.2.1/x'))).toEqual([]);
  for (const malformed of [undefined, '', {}, probeMatches(7), { probeMatches: { probeMatch: [null, 1] } }])
    expect(urls(malformed)).toEqual([]);
});
