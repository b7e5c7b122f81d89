import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * The server's half of a WebSocket (RFC 6455), as far as a browser's push client needs it: text messages, fragments, ping, close. Anything else ends the
 * connection. It is for 127.0.0.1; what is exposed to the world should use a library.
 */
export interface WebSocketHandlers {
  readonly onText: (text: string) => void;
  /** Once, however it ended. */
  readonly onClose: () => void;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_MESSAGE_BYTES = 256 * 1024;

const CONTINUATION = 0x0;
const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** Answers the upgrade and takes the socket over; undefined (and a closed socket) when it is no WebSocket upgrade. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  handlers: WebSocketHandlers,
): WebSocketConnection | undefined {
  const key = request.headers['sec-websocket-key'];
  if (request.headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    return undefined;
  }
  // A browser gives up when it asked for a sub-protocol and gets none.
  const protocol = request.headers['sec-websocket-protocol']?.split(',')[0]?.trim();
  socket.write(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${createHash('sha1')
        .update(key + GUID)
        .digest('base64')}`,
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      '\r\n',
    ].join('\r\n'),
  );
  return new WebSocketConnection(socket, head, handlers);
}

export class WebSocketConnection {
  readonly #socket: Duplex;
  readonly #handlers: WebSocketHandlers;
  #received: Buffer;
  #fragments: Buffer[] = [];
  #closed = false;

  constructor(socket: Duplex, head: Buffer, handlers: WebSocketHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#received = head;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => this.close());
    socket.on('close', () => this.#end());
    if (head.length > 0) this.#receive(Buffer.alloc(0));
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text));
  }

  close(): void {
    if (this.#closed) return;
    this.#write(CLOSE, Buffer.from([0x03, 0xe8]));
    this.#socket.end();
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#handlers.onClose();
  }

  #write(opcode: number, payload: Buffer): void {
    if (this.#closed || !this.#socket.writable) return;
    const { length } = payload;
    const size = Buffer.alloc(length < 126 ? 1 : length < 65_536 ? 3 : 9);
    if (size.length === 1) size[0] = length;
    else if (size.length === 3) {
      size[0] = 126;
      size.writeUInt16BE(length, 1);
    } else {
      size[0] = 127;
      size.writeBigUInt64BE(BigInt(length), 1);
    }
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode]), size, payload]));
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const frame = readFrame(this.#received);
      if (frame === 'more' || this.#closed) return;
      if (frame === 'broken') {
        this.close();
        return;
      }
      this.#received = this.#received.subarray(frame.bytes);
      this.#take(frame);
    }
  }

  #take({ opcode, last, payload }: Frame): void {
    if (opcode === CLOSE) this.close();
    else if (opcode === PING) this.#write(PONG, payload);
    else if (opcode === TEXT || opcode === CONTINUATION) {
      this.#fragments.push(payload);
      if (this.#fragments.reduce((sum, part) => sum + part.length, 0) > MAX_MESSAGE_BYTES) this.close();
      else if (last) {
        const text = Buffer.concat(this.#fragments).toString('utf8');
        this.#fragments = [];
        this.#handlers.onText(text);
      }
    } else if (opcode !== PONG) this.close();
  }
}

interface Frame {
  readonly opcode: number;
  readonly last: boolean;
  readonly payload: Buffer;
  /** Of the whole frame. */
  readonly bytes: number;
}

/** A client's frames are masked; one that is not, or is too long, is `broken`. */
function readFrame(buffer: Buffer): Frame | 'more' | 'broken' {
  if (buffer.length < 2) return 'more';
  const [first = 0, second = 0] = buffer;
  if ((second & 0x80) === 0 || (first & 0x70) !== 0) return 'broken';
  const short = second & 0x7f;
  const sizeBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + sizeBytes + 4;
  if (buffer.length < start) return 'more';
  const length = sizeBytes === 0 ? short : sizeBytes === 2 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2));
  if (length > MAX_MESSAGE_BYTES) return 'broken';
  if (buffer.length < start + length) return 'more';
  const mask = buffer.subarray(start - 4, start);
  const payload = Buffer.from(buffer.subarray(start, start + length)).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return { opcode: first & 0x0f, last: (first & 0x80) !== 0, payload: Buffer.from(payload), bytes: start + length };
}
