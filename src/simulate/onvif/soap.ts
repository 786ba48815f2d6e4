import { parseStringPromise, processors } from 'xml2js';

/** A parsed element: its children by local name, attributes in `$`, text in `_`. */
export type Xml = string | { readonly [name: string]: Xml } | readonly Xml[] | undefined;

/** One SOAP request: the operation's local name and namespace, its parameters, and the security header. */
export interface SoapRequest {
  readonly operation: string;
  readonly namespace: string;
  readonly body: Xml;
  readonly security: Xml;
  /** Of WS-Addressing. */
  readonly messageId: string;
}

export const NAMESPACES = {
  s: 'http://www.w3.org/2003/05/soap-envelope',
  a: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  d: 'http://schemas.xmlsoap.org/ws/2005/04/discovery',
  dn: 'http://www.onvif.org/ver10/network/wsdl',
  tt: 'http://www.onvif.org/ver10/schema',
  tds: 'http://www.onvif.org/ver10/device/wsdl',
  trt: 'http://www.onvif.org/ver10/media/wsdl',
  tr2: 'http://www.onvif.org/ver20/media/wsdl',
  ter: 'http://www.onvif.org/ver10/error',
} as const;

/** Throws where it is no SOAP request. */
export async function parseRequest(text: string): Promise<SoapRequest> {
  const { Envelope } = (await parseStringPromise(text, {
    tagNameProcessors: [processors.stripPrefix],
    explicitArray: false,
    xmlns: true,
  })) as { Envelope: Xml };
  const body = child(Envelope, 'Body');
  const [operation] = Object.keys(body as object).filter((name) => !name.startsWith('$'));
  const call = child(body, operation!);
  return {
    operation: operation!,
    namespace: textOf(child(call, '$ns', 'uri')),
    body: call,
    security: child(Envelope, 'Header', 'Security'),
    messageId: textOf(child(Envelope, 'Header', 'MessageID')),
  };
}

export function child(element: Xml, ...path: readonly string[]): Xml {
  return path.reduce<Xml>(
    (inner, name) =>
      typeof inner === 'object' ? (inner as { readonly [name: string]: Xml })[name] : undefined,
    element,
  );
}

/** The text of an element, attributes or not. */
export function textOf(element: Xml): string {
  const text = typeof element === 'object' ? child(element, '_') : element;
  return typeof text === 'string' ? text.trim() : '';
}

export function envelope(body: string, header = ''): string {
  const declared = Object.entries(NAMESPACES).map(([prefix, uri]) => `xmlns:${prefix}="${uri}"`);
  return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope ${declared.join(' ')}>${header === '' ? '' : `<s:Header>${header}</s:Header>`}<s:Body>${body}</s:Body></s:Envelope>`;
}

/** A refusal as ONVIF has it (Core Specification, 5.8.2). */
export class SoapFault extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, code: 'Sender' | 'Receiver', subcodes: readonly string[], reason: string) {
    super(reason);
    this.status = status;
    const nested = subcodes.reduceRight(
      (inner, subcode) => `<s:Subcode><s:Value>${subcode}</s:Value>${inner}</s:Subcode>`,
      '',
    );
    this.body = `<s:Fault><s:Code><s:Value>s:${code}</s:Value>${nested}</s:Code><s:Reason><s:Text xml:lang="en">${escapeXml(reason)}</s:Text></s:Reason></s:Fault>`;
  }
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
