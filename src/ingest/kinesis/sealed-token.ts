/**
 * Opaque tokens that clients hand back: shard iterators and page tokens. They hold all their state, so that nothing is remembered here
 * and any process can serve them after any restart. A checksum keyed by the stream's incarnation id makes a changed token, or one of
 * an earlier stream of the same name, recognisable. It is no secret: a token gives no right, and its content is checked like any input.
 *
 * Text: base64url of 12 bytes of HMAC-SHA-256, then the content as JSON, an array whose first item is the stream's name.
 */
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import type { LiveStream } from '../live-stream.ts';
import type { Streams } from '../streams.ts';

const CHECK_BYTES = 12;

export type TokenContent = readonly [string, ...(string | number | null)[]];

export function sealToken(stream: LiveStream, kind: string, content: TokenContent): string {
  const text = JSON.stringify(content);
  return Buffer.concat([check(stream, kind, text), Buffer.from(text)]).toString('base64url');
}

/** The content of a token of this kind, or undefined when it is not ours or its stream is gone. */
export function openToken(
  streams: Streams,
  kind: string,
  token: string,
): { readonly stream: LiveStream; readonly content: TokenContent } | undefined {
  const bytes = Buffer.from(token, 'base64url');
  const text = bytes.toString('utf8', CHECK_BYTES);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(content) || typeof content[0] !== 'string') return undefined;
  const stream = streams.find(content[0]);
  if (stream === undefined || !check(stream, kind, text).equals(bytes.subarray(0, CHECK_BYTES))) return undefined;
  return { stream, content: content as unknown as TokenContent };
}

function check(stream: LiveStream, kind: string, text: string): Buffer {
  return createHmac('sha256', `${kind}:${stream.document.id}`).update(text).digest().subarray(0, CHECK_BYTES);
}
