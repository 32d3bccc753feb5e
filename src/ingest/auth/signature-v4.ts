/**
 * AWS Signature Version 4, as clients send it: in the `Authorization` header or in the query (presigned). Two steps, as AWS takes
 * them: is the form complete, and, where keys are configured, does the signature over method, path, query, headers and the hash
 * of the body hold. Without keys the form alone is asked for, so that a client behaves as it would against AWS.
 */
import { Buffer } from 'node:buffer';
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Request } from '../server/exchange.ts';
import { headerOf } from '../server/exchange.ts';
import type { AccessKey } from '../server-options.ts';

export interface SignatureProblem {
  readonly type:
    | 'IncompleteSignatureException'
    | 'InvalidSignatureException'
    | 'MissingAuthenticationTokenException'
    | 'UnrecognizedClientException';
  readonly message: string;
}

export interface SignedRequest {
  readonly request: Request;
  readonly path: string;
  readonly query: string;
}

interface Claim {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly date: string;
  /** Of a presigned query. */
  readonly expiresSeconds?: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SKEW_MS_MAX = 15 * 60_000;
const EXPIRES_SECONDS_MAX = 7 * 86_400;

/** What is wrong with the form of the authentication, in AWS's order; undefined when it is complete. */
export function signatureFormProblem({ request, query }: SignedRequest): SignatureProblem | undefined {
  const header = headerOf(request, 'authorization');
  const fromQuery = query.includes('X-Amz-') ? new URLSearchParams(query) : undefined;
  const queried = fromQuery?.has('X-Amz-Algorithm') === true ? fromQuery : undefined;
  if (header !== undefined && queried !== undefined) {
    return {
      type: 'InvalidSignatureException',
      message: `Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.`,
    };
  }
  if (queried !== undefined) return queryFormProblem(queried);
  if (header === undefined)
    return { type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' };
  return headerFormProblem(request, header);
}

function queryFormProblem(query: URLSearchParams): SignatureProblem | undefined {
  const names = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders', 'X-Amz-Date'];
  const missing = names.filter((name) => (query.get(name) ?? '') === '');
  if (missing.length === 0) return undefined;
  return {
    type: 'IncompleteSignatureException',
    message: `${missing.map((name) => `AWS query-string parameters must include '${name}'.`).join(' ')} Re-examine the query-string parameters.`,
  };
}

function headerFormProblem(request: Request, header: string): SignatureProblem | undefined {
  const parts = authorizationParts(header);
  const missing = ['Credential', 'Signature', 'SignedHeaders']
    .filter((name) => (parts.get(name) ?? '') === '')
    .map((name) => `Authorization header requires '${name}' parameter.`);
  if (headerOf(request, 'x-amz-date') === undefined && headerOf(request, 'date') === undefined) {
    missing.push(`Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.`);
  }
  if (missing.length === 0) return undefined;
  return { type: 'IncompleteSignatureException', message: missing.join(' ') };
}

/** Checks the signature of a request whose form is complete. */
export function signatureProblem(
  signed: SignedRequest,
  body: Uint8Array,
  { keys, nowMs }: { keys: readonly AccessKey[]; nowMs: number },
): SignatureProblem | undefined {
  const claim = claimOf(signed);
  const [keyId = '', date = '', region = '', service = '', terminator = ''] = claim.credential.split('/');
  const key = keys.find(({ id }) => id === keyId);
  if (key === undefined) {
    return {
      type: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid: no key has this access key id.',
    };
  }
  const invalid = (message: string): SignatureProblem => ({ type: 'InvalidSignatureException', message });
  if (service !== 'kinesis' || terminator !== 'aws4_request' || !claim.date.startsWith(date) || date.length !== 8) {
    return invalid('Credential should be scoped to the date of the request and to the service kinesis.');
  }
  const late = lateness(claim, nowMs);
  if (late !== undefined) return invalid(late);
  const names = claim.signedHeaders.split(';');
  if (!names.includes('host') && !names.includes(':authority')) return invalid(`'Host' must be a signed header.`);
  const scope = `${date}/${region}/${service}/${terminator}`;
  const canonical = canonicalRequest(signed, names, sha256(body));
  const text = [ALGORITHM, claim.date, scope, sha256(canonical)].join('\n');
  let signing = hmac(`AWS4${key.secret}`, date);
  for (const part of [region, service, terminator]) signing = hmac(signing, part);
  const wanted = hmac(signing, text);
  const given = Buffer.from(claim.signature, 'hex');
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return undefined;
  return invalid(
    'The request signature we calculated does not match the signature you provided. Check your secret access key and signing method.',
  );
}

function claimOf({ request, query }: SignedRequest): Claim {
  const header = headerOf(request, 'authorization');
  if (header !== undefined) {
    const parts = authorizationParts(header);
    return {
      credential: parts.get('Credential') ?? '',
      signedHeaders: parts.get('SignedHeaders') ?? '',
      signature: parts.get('Signature') ?? '',
      date: headerOf(request, 'x-amz-date') ?? headerOf(request, 'date') ?? '',
    };
  }
  const parts = new URLSearchParams(query);
  const get = (name: string): string => parts.get(`X-Amz-${name}`) ?? '';
  return {
    credential: get('Credential'),
    signedHeaders: get('SignedHeaders'),
    signature: get('Signature'),
    date: get('Date'),
    expiresSeconds: parts.get('X-Amz-Expires') ?? '300',
  };
}

function authorizationParts(header: string): Map<string, string> {
  const rest = header.startsWith(ALGORITHM) ? header.slice(ALGORITHM.length) : '';
  return new Map(
    rest.split(',').map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at).trim(), part.slice(at + 1).trim()] as const;
    }),
  );
}

/** Why the request is not of now, or undefined. */
function lateness({ date, expiresSeconds }: Claim, nowMs: number): string | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (match === null) return `Date must be in the form yyyyMMddTHHmmssZ, got '${date.slice(0, 40)}'.`;
  const [, year, month, day, hour, minute, second] = match.map(Number) as [unknown, ...number[]];
  const atMs = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
  const livesMs = expiresSeconds === undefined ? SKEW_MS_MAX : Number(expiresSeconds) * 1000;
  if (!(livesMs >= 0 && livesMs <= EXPIRES_SECONDS_MAX * 1000)) return 'X-Amz-Expires must be 0 to 604800 seconds.';
  if (nowMs > atMs + livesMs) return `Signature expired: ${date} is too long ago.`;
  if (nowMs < atMs - SKEW_MS_MAX) return `Signature not yet current: ${date} is in the future.`;
  return undefined;
}

function canonicalRequest({ request, path, query }: SignedRequest, names: readonly string[], bodyHash: string): string {
  const headers = names.map((name) => {
    const value = headerOf(request, name) ?? (name === 'host' ? headerOf(request, ':authority') : undefined) ?? '';
    return `${name}:${value.trim().replace(/\s+/g, ' ')}\n`;
  });
  const parameters = query
    .split('&')
    .filter((part) => part !== '' && !part.startsWith('X-Amz-Signature='))
    .map((part) => (part.includes('=') ? part : `${part}=`))
    .sort();
  // The path is encoded once more than it came, as every service but S3 wants it.
  const encodedPath = path.split('/').map(encode).join('/');
  return [request.method, encodedPath, parameters.join('&'), headers.join(''), names.join(';'), bodyHash].join('\n');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
