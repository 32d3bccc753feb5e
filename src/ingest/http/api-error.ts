/** Failures of the plain HTTP API as JSON: the catalogue's code and status, the message, and the request id that the log has too. */
import { ERRORS, LakewardError, isLakewardError } from '../../model/errors.ts';
import type { Answer } from '../server/exchange.ts';

/** What a client should wait before it tries again, seconds. */
const RETRY_AFTER_SECONDS = 1;

/** Any failure as one of the catalogue; what is not of it becomes `internal` and tells nothing of its inside. */
export function apiErrorOf(error: unknown): LakewardError {
  if (isLakewardError(error)) return error;
  const cause = error;
  return new LakewardError('internal', 'the request failed inside the server; its log holds the cause', { cause });
}

export function errorAnswer({ code, message, details, retryable }: LakewardError, requestId: string): Answer {
  const { status } = ERRORS[code];
  const headers: Record<string, string> = { 'content-type': 'application/json', 'x-request-id': requestId };
  if (status === 429 || status === 503) headers['retry-after'] = String(RETRY_AFTER_SECONDS);
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  const body = JSON.stringify({ error: { code, message, retryable, requestId, ...(details && { details }) } });
  return { status, headers, body };
}
