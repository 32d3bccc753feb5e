/**
 * Talks to the control API of a running server. An answer that is an error becomes the `LakewardError` it names; no answer becomes
 * `server-unreachable`. It never repeats a request by itself: only the caller knows whether a repetition is harmless.
 */
import type { ErrorCode } from '../model/errors.ts';
import { ERRORS, LakewardError } from '../model/errors.ts';

export interface ControlRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

export interface ControlClient {
  readonly url: string;
  /** The JSON of a successful answer. Throws the error of any other. */
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  /** The bytes of a successful answer. Throws the error of any other. */
  bytes(path: string, signal?: AbortSignal): Promise<Uint8Array>;
  /** Sends JSON (nothing when `body` is undefined) and gives the JSON of the answer, undefined when it is empty. */
  send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, signal?: AbortSignal): Promise<T>;
  /** Status, headers and JSON, whatever they are. Throws only `server-unreachable`. */
  exchange(method: string, path: string, request?: ControlRequest): Promise<ControlAnswer>;
}

export interface ControlAnswer {
  readonly status: number;
  readonly json: unknown;
  /** From Retry-After, ms. */
  readonly retryAfterMs: number | undefined;
}

export function createControlClient({ url, key }: { url: string; key: string | undefined }): ControlClient {
  const base = checkedUrl(url);
  const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };

  async function reach<T>(
    method: string,
    path: string,
    { request = {}, read }: { request?: ControlRequest; read: (response: Response) => Promise<T> },
  ): Promise<T> {
    try {
      const response = await fetch(`${base}${path}`, {
        method,
        headers: { ...authorization, ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
      return await read(response);
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const reason = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
      throw new LakewardError('server-unreachable', `no server answers at ${base} (${reason})`, {
        cause: error,
        details: { url: base, reason, unsent: UNSENT.has(reason) },
      });
    }
  }

  const exchange: ControlClient['exchange'] = (method, path, request) =>
    reach(method, path, { ...(request !== undefined && { request }), read: answerOf });

  return {
    url: base,
    exchange,
    async bytes(path, signal) {
      const answer = await reach('GET', path, {
        ...(signal !== undefined && { request: { signal } }),
        read: async (response) => (response.ok ? new Uint8Array(await response.arrayBuffer()) : answerOf(response)),
      });
      if (answer instanceof Uint8Array) return answer;
      throw errorOf(answer);
    },
    async get<T>(path: string, signal?: AbortSignal) {
      return answered(await exchange('GET', path, signal === undefined ? {} : { signal })) as T;
    },
    async send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, signal?: AbortSignal) {
      const request =
        body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      return answered(await exchange(method, path, signal === undefined ? request : { ...request, signal })) as T;
    },
  };
}

async function answerOf(response: Response): Promise<ControlAnswer> {
  const text = await response.text();
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    status: response.status,
    json: parsed(text),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  };
}

/** Reasons for which nothing of the request can have reached a server. */
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

function checkedUrl(url: string): string {
  const base = url.includes('://') ? url : `http://${url}`;
  if (URL.canParse(base) && /^https?:/.test(base)) return base.replace(/\/+$/, '');
  throw new LakewardError(
    'argument-invalid',
    `'${url}' is no address of a server; it looks like http://127.0.0.1:4567`,
  );
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function answered(answer: ControlAnswer): unknown {
  if (answer.status < 400) return answer.json;
  throw errorOf(answer);
}

/** The error an answer tells of. */
export function errorOf({ status, json }: ControlAnswer): LakewardError {
  const told = (
    json as { error?: { code?: unknown; message?: unknown; details?: unknown; requestId?: unknown } } | undefined
  )?.error;
  if (typeof told?.code === 'string' && told.code in ERRORS) {
    const details = { ...(told.details as Record<string, unknown> | undefined), requestId: told.requestId };
    return new LakewardError(told.code as ErrorCode, String(told.message), { details });
  }
  return new LakewardError('internal', `the server answered ${status} with something that is no error of Lakeward`);
}
