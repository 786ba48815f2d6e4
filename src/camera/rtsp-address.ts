/** Where a camera's RTSP server is. Nothing that a camera says changes it. */
export interface RtspAddress {
  /** Host name or IP address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** `host` or `host:port` as the camera's URL writes it. */
  readonly authority: string;
}

const RTSP_PORT = 554;
const RTSPS_PORT = 322;

/** The address in an rtsp:// or rtsps:// URL without credentials; null if it is no such URL. */
export function rtspAddress(url: string): RtspAddress | null {
  const parts = /^(rtsps?):\/\/([^/?#]*)/i.exec(url);
  if (!parts) return null;
  const [, scheme, authority = ''] = parts;
  const tls = scheme!.toLowerCase() === 'rtsps';
  const host = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority);
  if (!host?.[1]) return null;
  return {
    host: host[1].replace(/^\[|\]$/g, '').toLowerCase(),
    port: Number(host[2] ?? (tls ? RTSPS_PORT : RTSP_PORT)),
    tls,
    authority,
  };
}
