import { parseStringPromise, processors } from 'xml2js';

/** A parsed element: its children by local name, attributes in `$`, text in `_`. */
export type Xml = string | { readonly [name: string]: Xml } | readonly Xml[] | undefined;

/** One SOAP request: the operation's local name and namespace, its parameters, and the security header. */
export interface SoapRequest {
  readonly operation: string;
  readonly namespace: string;
  readonly body: Xml;
  readonly security: Xml;
  /** WS-Addressing MessageID; empty without one. */
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

/** Parses a SOAP request; throws for anything else. */
export async function parseRequest(text: string): Promise<SoapRequest> {
  const { Envelope } = (await parseStringPromise(text, {
    tagNameProcessors: [processors.stripPrefix],
    explicitArray: false,
    xmlns: true,
  })) as { Envelope: Xml };
  const body = child(Envelope, 'Body');
  const [operation] = Object.keys(body as object).filter((name) => !name.startsWith('$'));
  const parameters = child(body, operation!);
  return {
    operation: operation!,
    namespace: textOf(child(parameters, '$ns', 'uri')),
    body: parameters,
    security: child(Envelope, 'Header', 'Security'),
    messageId: textOf(child(Envelope, 'Header', 'MessageID')),
  };
}

/** The descendant at a path of local names; undefined if there is none. */
export function child(element: Xml, ...path: readonly string[]): Xml {
  return path.reduce<Xml>(
    (parent, name) =>
      typeof parent === 'object' ? (parent as { readonly [name: string]: Xml })[name] : undefined,
    element,
  );
}

/** The text of an element, with or without attributes; empty if there is none. */
export function textOf(element: Xml): string {
  const text = typeof element === 'object' ? child(element, '_') : element;
  return typeof text === 'string' ? text.trim() : '';
}

/** A SOAP 1.2 envelope around XML. */
export function envelope(body: string, header = ''): string {
  const namespaces = Object.entries(NAMESPACES).map(([prefix, uri]) => `xmlns:${prefix}="${uri}"`);
  return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope ${namespaces.join(' ')}>${header === '' ? '' : `<s:Header>${header}</s:Header>`}<s:Body>${body}</s:Body></s:Envelope>`;
}

/** A SOAP fault as ONVIF defines it (Core Specification, 5.8.2). */
export class SoapFault extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, code: 'Sender' | 'Receiver', subcodes: readonly string[], reason: string) {
    super(reason);
    this.status = status;
    const subcodeXml = subcodes.reduceRight(
      (inner, subcode) => `<s:Subcode><s:Value>${subcode}</s:Value>${inner}</s:Subcode>`,
      '',
    );
    this.body = `<s:Fault><s:Code><s:Value>s:${code}</s:Value>${subcodeXml}</s:Code><s:Reason><s:Text xml:lang="en">${escapeXml(reason)}</s:Text></s:Reason></s:Fault>`;
  }
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
