import { splitCredentials } from './credentials.ts';

/** Where a device answers ONVIF requests. */
export interface DeviceAddress {
  /** As the user wrote it; IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Token or name of the media profile that the user wants. */
  readonly profile: string | undefined;
}

const PORT = 80;
/** The path that every device has (ONVIF Core Specification, 5.1.1). */
const DEVICE_SERVICE = '/onvif/device_service';

export function isOnvif(url: string): boolean {
  return /^onvif:/i.test(url);
}

/** Reads `onvif://[user:password@]host[:port][/path][?profile=…]`; a text that says what is wrong with it. */
export function parseDeviceUrl(url: string): DeviceAddress | string {
  const bare = splitCredentials(url).url;
  if (!URL.canParse(bare)) return 'is no URL: onvif://host, onvif://host:port/path?profile=name';
  const { hostname, port, pathname, searchParams, hash } = new URL(bare);
  if (hostname === '') return 'names no host: onvif://host';
  const other = [...searchParams.keys()].find((key) => key !== 'profile');
  if (other !== undefined || hash !== '')
    return `may have ?profile=name and nothing else after its path, not ${other ?? hash}`;
  return {
    host: hostname,
    port: Number(port || PORT),
    path: pathname === '' || pathname === '/' ? DEVICE_SERVICE : pathname,
    profile: searchParams.get('profile') || undefined,
  };
}

/** The URL under which austream takes the device: ports and paths that are the usual ones left out. */
export function deviceUrl({ host, port, path }: Omit<DeviceAddress, 'profile'>): string {
  return `onvif://${host}${port === PORT ? '' : `:${port}`}${path === DEVICE_SERVICE ? '' : path}`;
}
