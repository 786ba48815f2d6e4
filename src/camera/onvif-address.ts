import { splitCredentials } from './credentials.ts';

/** Address of a device's ONVIF service. */
export interface DeviceAddress {
  /** As configured; IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Token or name of the wanted media profile. */
  readonly profile: string | undefined;
}

const DEFAULT_PORT = 80;
/** The device service of every ONVIF device (ONVIF Core Specification, 5.1.1). */
const DEVICE_SERVICE = '/onvif/device_service';

export function isOnvif(url: string): boolean {
  return /^onvif:/i.test(url);
}

/** Parses `onvif://[user:password@]host[:port][/path][?profile=…]`. Returns a string that says why it is invalid. */
export function parseDeviceUrl(url: string): DeviceAddress | string {
  const bare = splitCredentials(url).url;
  if (!URL.canParse(bare)) return 'is not a URL: write onvif://host or onvif://host:port/path?profile=name';
  const { hostname, port, pathname, searchParams, hash } = new URL(bare);
  if (hostname === '') return 'has no host: write onvif://host';
  const other = [...searchParams.keys()].find((key) => key !== 'profile');
  if (other !== undefined || hash !== '')
    return `allows only ?profile=name after its path, not ${other ?? hash}`;
  return {
    host: hostname,
    port: Number(port || DEFAULT_PORT),
    path: pathname === '' || pathname === '/' ? DEVICE_SERVICE : pathname,
    profile: searchParams.get('profile') || undefined,
  };
}

/** The device's onvif:// URL, without default port and path. */
export function deviceUrl({ host, port, path }: Omit<DeviceAddress, 'profile'>): string {
  return `onvif://${host}${port === DEFAULT_PORT ? '' : `:${port}`}${path === DEVICE_SERVICE ? '' : path}`;
}
