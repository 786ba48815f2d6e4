import { child, escapeXml, NAMESPACES, SoapFault, type SoapRequest, textOf } from './soap.ts';

/** A media profile of a device: one stream. */
export interface SimulatedProfile {
  readonly token: string;
  readonly name: string;
  readonly codec: 'h264' | 'h265' | 'mjpeg';
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Its rtsp:// URL. */
  readonly uri: string;
}

/** The state of a device that its responses report. */
export interface DeviceState {
  readonly name: string;
  readonly uuid: string;
  /** `http://host:port` of the device, as it reports it. */
  readonly origin: string;
  readonly profiles: readonly SimulatedProfile[];
  /** Whether it has the newer media service (media2), the only one with H.265. */
  readonly media2: boolean;
  /** Unix milliseconds by its own clock; null if it does not report its time. */
  readonly time: number | null;
}

/** Operations without authentication (ONVIF Core Specification, 5.9.4.3: access class PRE_AUTH). */
export const PRE_AUTH = new Set(['GetSystemDateAndTime', 'GetServices', 'GetCapabilities']);

export const SERVICES = { tds: '/onvif/device_service', trt: '/onvif/media', tr2: '/onvif/media2' } as const;
type Service = keyof typeof SERVICES;
const ENCODINGS = { h264: 'H264', h265: 'H265', mjpeg: 'JPEG' } as const;

/** Returns the response's body. Throws a SoapFault for an operation or profile that does not exist. */
export function respond(request: SoapRequest, state: DeviceState): string {
  const service = (Object.keys(SERVICES) as Service[]).find((key) => NAMESPACES[key] === request.namespace);
  const available = service !== undefined && (service !== 'tr2' || state.media2);
  const operation = available ? OPERATIONS[service][request.operation] : undefined;
  if (!operation)
    throw new SoapFault(500, 'Receiver', ['ter:ActionNotSupported'], 'Optional Action Not Implemented');
  return `<${service}:${request.operation}Response>${operation(state, request)}</${service}:${request.operation}Response>`;
}

type Operation = (state: DeviceState, request: SoapRequest) => string;

const OPERATIONS: Readonly<Record<Service, Readonly<Record<string, Operation>>>> = {
  tds: {
    GetSystemDateAndTime: ({ time }) =>
      `<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>${time === null ? '' : utc(new Date(time))}</tds:SystemDateAndTime>`,
    GetDeviceInformation: ({ uuid }) =>
      `<tds:Manufacturer>austream</tds:Manufacturer><tds:Model>simulated camera</tds:Model><tds:FirmwareVersion>1</tds:FirmwareVersion><tds:SerialNumber>${uuid}</tds:SerialNumber><tds:HardwareId>none</tds:HardwareId>`,
    GetScopes: (state) =>
      scopes(state)
        .map(
          (scope) =>
            `<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>${scope}</tt:ScopeItem></tds:Scopes>`,
        )
        .join(''),
    GetServices: (state) =>
      (Object.keys(SERVICES) as Service[])
        .filter((key) => key !== 'tr2' || state.media2)
        .map(
          (key) =>
            `<tds:Service><tds:Namespace>${NAMESPACES[key]}</tds:Namespace><tds:XAddr>${state.origin}${SERVICES[key]}</tds:XAddr><tds:Version><tt:Major>${key === 'tr2' ? 2 : 1}</tt:Major><tt:Minor>0</tt:Minor></tds:Version></tds:Service>`,
        )
        .join(''),
    GetCapabilities: ({ origin }) =>
      `<tds:Capabilities><tt:Device><tt:XAddr>${origin}${SERVICES.tds}</tt:XAddr></tt:Device><tt:Media><tt:XAddr>${origin}${SERVICES.trt}</tt:XAddr><tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media></tds:Capabilities>`,
  },
  trt: {
    GetProfiles: ({ profiles }) =>
      // The older media service has no H.265.
      profiles
        .filter(({ codec }) => codec !== 'h265')
        .map(
          (profile) =>
            `<trt:Profiles token="${escapeXml(profile.token)}" fixed="true"><tt:Name>${escapeXml(profile.name)}</tt:Name><tt:VideoSourceConfiguration token="source">${source(profile)}</tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token="${escapeXml(profile.token)}">${encoderHead(profile)}<tt:Quality>5</tt:Quality><tt:RateControl><tt:FrameRateLimit>${profile.fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl>${profile.codec === 'h264' ? `<tt:H264><tt:GovLength>${profile.fps}</tt:GovLength><tt:H264Profile>High</tt:H264Profile></tt:H264>` : ''}${MULTICAST}<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration></trt:Profiles>`,
        )
        .join(''),
    GetVideoSources: ({ profiles }) => {
      const [{ width, height, fps } = { width: 1, height: 1, fps: 1 }] = profiles;
      return `<trt:VideoSources token="source"><tt:Framerate>${fps}</tt:Framerate><tt:Resolution><tt:Width>${width}</tt:Width><tt:Height>${height}</tt:Height></tt:Resolution></trt:VideoSources>`;
    },
    GetStreamUri: (state, request) =>
      `<trt:MediaUri><tt:Uri>${escapeXml(requestedProfile(state, request).uri)}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>`,
  },
  tr2: {
    GetProfiles: ({ profiles }) =>
      profiles
        .map(
          (profile) =>
            `<tr2:Profiles token="${escapeXml(profile.token)}" fixed="true"><tr2:Name>${escapeXml(profile.name)}</tr2:Name><tr2:Configurations><tr2:VideoSource token="source">${source(profile)}</tr2:VideoSource><tr2:VideoEncoder token="${escapeXml(profile.token)}" GovLength="${profile.fps}" Profile="Main">${encoderHead(profile)}<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>${profile.fps}</tt:FrameRateLimit><tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl><tt:Quality>5</tt:Quality></tr2:VideoEncoder></tr2:Configurations></tr2:Profiles>`,
        )
        .join(''),
    GetStreamUri: (state, request) => `<tr2:Uri>${escapeXml(requestedProfile(state, request).uri)}</tr2:Uri>`,
  },
};

/** The scopes of a device: what it reports about itself in discovery. */
export function scopes({ name }: Pick<DeviceState, 'name'>): string[] {
  return [
    'onvif://www.onvif.org/type/video_encoder',
    'onvif://www.onvif.org/Profile/Streaming',
    'onvif://www.onvif.org/hardware/simulated',
    `onvif://www.onvif.org/name/${encodeURIComponent(name)}`,
  ];
}

function requestedProfile({ profiles }: DeviceState, { body }: SoapRequest): SimulatedProfile {
  const token = textOf(child(body, 'ProfileToken'));
  const profile = profiles.find((candidate) => candidate.token === token);
  if (!profile)
    throw new SoapFault(400, 'Sender', ['ter:InvalidArgVal', 'ter:NoProfile'], `No profile ${token}`);
  return profile;
}

function source({ width, height }: SimulatedProfile): string {
  return `<tt:Name>source</tt:Name><tt:UseCount>1</tt:UseCount><tt:SourceToken>source</tt:SourceToken><tt:Bounds x="0" y="0" width="${width}" height="${height}"/>`;
}

function encoderHead({ name, codec, width, height }: SimulatedProfile): string {
  return `<tt:Name>${escapeXml(name)}</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>${ENCODINGS[codec]}</tt:Encoding><tt:Resolution><tt:Width>${width}</tt:Width><tt:Height>${height}</tt:Height></tt:Resolution>`;
}

const MULTICAST =
  '<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address><tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>';

function utc(date: Date): string {
  return `<tt:UTCDateTime><tt:Time><tt:Hour>${date.getUTCHours()}</tt:Hour><tt:Minute>${date.getUTCMinutes()}</tt:Minute><tt:Second>${date.getUTCSeconds()}</tt:Second></tt:Time><tt:Date><tt:Year>${date.getUTCFullYear()}</tt:Year><tt:Month>${date.getUTCMonth() + 1}</tt:Month><tt:Day>${date.getUTCDate()}</tt:Day></tt:Date></tt:UTCDateTime>`;
}
