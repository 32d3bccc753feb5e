/**
 * Whether a web page may call the Kinesis wire. With keys configured any page may: without a key it gets nothing. Without keys only
 * pages of this machine may, or every site an operator visits could read and write the streams.
 */
import type { Request } from '../server/exchange.ts';
import { headerOf } from '../server/exchange.ts';
import type { AccessKey } from '../server-options.ts';

const EXPOSED = 'x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date';

export function corsHeaders(request: Request, keys: readonly AccessKey[]): Record<string, string> {
  const origin = headerOf(request, 'origin');
  if (origin === undefined || (keys.length === 0 && !isLocalOrigin(origin))) return {};
  const headers: Record<string, string> = {
    'access-control-allow-origin': keys.length > 0 ? '*' : origin,
    'access-control-expose-headers': EXPOSED,
  };
  if (keys.length === 0) headers['vary'] = 'origin';
  if (request.method !== 'OPTIONS') return headers;
  headers['access-control-max-age'] = '172800';
  const asked = headerOf(request, 'access-control-request-headers');
  const method = headerOf(request, 'access-control-request-method');
  if (asked !== undefined) headers['access-control-allow-headers'] = asked;
  if (method !== undefined) headers['access-control-allow-methods'] = method;
  return headers;
}

function isLocalOrigin(origin: string): boolean {
  return /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin);
}
