export interface RequestHeader {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string;
}

/** The frame's length and header version 1 (https://kafka.apache.org/protocol#protocol_messages): what goes before the body's parts. */
export function encodeRequestHeader({ apiKey, version, correlationId, clientId }: RequestHeader, body: readonly Buffer[]): Buffer {
  const client = Buffer.from(clientId);
  const header = Buffer.allocUnsafe(4 + 2 + 2 + 4 + 2 + client.length);
  const bodyBytes = body.reduce((bytes, part) => bytes + part.length, 0);
  let at = header.writeInt32BE(header.length - 4 + bodyBytes, 0);
  at = header.writeInt16BE(apiKey, at);
  at = header.writeInt16BE(version, at);
  at = header.writeInt32BE(correlationId, at);
  at = header.writeInt16BE(client.length, at);
  client.copy(header, at);
  return header;
}
