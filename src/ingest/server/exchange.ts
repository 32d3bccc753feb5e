/**
 * One request and its answer, whichever HTTP carried it: HTTP/1.1 messages and the compatible ones of h2 look alike but for a
 * few members, and this is where the difference ends. Bodies are read whole, within bounds of size, memory and time.
 */
import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { LakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Reservation } from '../admission/bytes-in-flight.ts';

export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  /** Of the answer's headers and the log. */
  readonly requestId: string;
  /** The path without the query. */
  readonly path: string;
  /** What stands behind the `?`, or empty. */
  readonly query: string;
  readonly startedMs: number;
  /** Aborts when the client has gone, or the server has waited long enough on closing. */
  readonly signal: AbortSignal;
  readonly reservation: Reservation;
}

/** Why `signal` aborts then. Every answered request ends in an abort that nobody hears; made anew, it would cost a stack trace each. */
export const GONE = new DOMException('the client has gone', 'AbortError');

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A header with one value, or undefined. */
export function headerOf(request: Request, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Sends a whole answer. Fine when the client has gone. */
export function send(response: Response, { status, headers, body }: Answer): void {
  if (response.writableEnded || response.destroyed) return;
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const all = { ...headers, 'content-length': String(bytes.byteLength) };
  // The two kinds of response have the same two methods, with overloads that the compiler cannot join.
  (response as ServerResponse).writeHead(status, all);
  (response as ServerResponse).end(bytes);
}

export interface BodyBounds {
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Memory taken for what a body says is to come, as a multiple of what has come. */
const CLAIM_FACTOR = 16;
const EMPTY = Buffer.alloc(0);

/** Reads a body as sent, in memory of the exchange's reservation. Throws `body-too-large`, `broker-overloaded`, `body-invalid` (broken off or too slow). */
export function readBody({ request, reservation }: Exchange, bounds: BodyBounds): Promise<Buffer> {
  const toldBytes = Number(headerOf(request, 'content-length') ?? 0) || 0;
  const deadlineMs = bounds.clock.monotonicMs() + bounds.timeoutMs;
  return new Promise((resolve, reject) => {
    let whole: Buffer | undefined;
    let length = 0;
    let isWhole = false;
    const joined = (head: Buffer, at: number, chunk: Buffer): Buffer => {
      let target = head;
      if (head.length < length) {
        // A claim of many bytes to come takes some memory, in proportion to what has come.
        target = reservation.memory(Math.max(length, Math.min(toldBytes, length * CLAIM_FACTOR)));
        head.copy(target, 0, 0, at);
      }
      chunk.copy(target, at);
      letGo(chunk);
      return target;
    };
    const check = (bytes: number): void => {
      if (bytes > bounds.bytesMax) {
        throw new LakewardError('body-too-large', `a body has at most ${bounds.bytesMax} bytes here`);
      }
    };
    const fail = (error: unknown): void => {
      request.removeListener('data', onData);
      reject(error instanceof Error ? error : new Error('the body could not be read', { cause: error }));
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      try {
        check(length);
        // Only what has come is counted: a claim of many bytes to come must not keep others out.
        reservation.add(chunk.length);
        if (bounds.clock.monotonicMs() > deadlineMs) throw tooSlow(bounds.timeoutMs);
      } catch (error) {
        return fail(error);
      }
      whole = whole === undefined && length >= toldBytes ? chunk : joined(whole ?? EMPTY, length - chunk.length, chunk);
    };
    try {
      check(toldBytes);
    } catch (error) {
      return fail(error);
    }
    request.on('data', onData);
    request.once('end', () => {
      isWhole = true;
      resolve(whole?.subarray(0, length) ?? EMPTY);
    });
    request.once('error', (cause) => fail(new LakewardError('body-invalid', 'the body broke off', { cause })));
    request.once('close', () => {
      if (!isWhole) fail(new LakewardError('body-invalid', 'the body broke off'));
    });
  });
}

/**
 * Frees a chunk that was copied, if its memory is its own. Left to the collector, the chunks of a few requests outweigh all else it
 * knows of, and it goes through the whole heap again and again to be rid of them.
 */
function letGo(chunk: Buffer): void {
  const memory = chunk.buffer;
  if (chunk.length === memory.byteLength && memory instanceof ArrayBuffer) memory.transfer(0);
}

function tooSlow(timeoutMs: number): LakewardError {
  return new LakewardError('body-invalid', `the body took longer than ${timeoutMs} ms to arrive`);
}
