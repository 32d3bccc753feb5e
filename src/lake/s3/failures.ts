/**
 * What a failing S3 means for a lake: `lake-unavailable` with S3's own code and what to do about it, since landing is retried and the
 * records wait; `lake-unsuitable` when the store says that it cannot do what exactly-once needs. Three facts are left for whoever
 * repeats calls: `throttled` (the store asks to slow down), `refused` (it is known that nothing was done), `s3Code`.
 */
import { LakewardError } from '../../model/errors.ts';

interface Told {
  readonly name?: unknown;
  readonly Code?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  readonly Region?: unknown;
}

const RIGHTS =
  'the credentials may not do this: allow s3:GetObject, s3:PutObject and s3:DeleteObject on the objects of the lake and s3:ListBucket on the bucket; tags, ACLs, KMS keys and versioned buckets need more';
const REGION = 'the bucket lies in another region: set lake.s3.region';
const NO_REGION =
  'no region was found that can be one: set lake.s3.region or AWS_REGION (us-east-1 for most stores other than AWS)';
const CREDENTIALS = 'the store does not know these credentials: check the access key, the secret and the session token';
const EXPIRED = 'the credentials have expired: renew them';
const SLOW = 'the store asks to slow down; calls are spread out and repeated';
const AWAY = 'the store is not able to answer now';
const FULL = 'the store is full; free space or raise its quota';
const CERTIFICATE =
  "the store's certificate is not trusted: name the file of its authority in lake.s3.ca, or use the host name it was issued for";
const UNREACHABLE = 'the store cannot be reached: check lake.s3.endpoint and the network';

const ADVICE: Readonly<Record<string, string>> = {
  AccessDenied: RIGHTS,
  AllAccessDisabled: RIGHTS,
  AccountProblem: 'the account of the bucket has a problem: ask its provider',
  NoSuchBucket: 'there is no such bucket at this endpoint: make it, or correct lake.s3.bucket and lake.s3.region',
  InvalidBucketName: 'this cannot be the name of a bucket: correct lake.s3.bucket',
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  RequestTimeTooSkewed: "this machine's clock and the store's differ by more than 15 minutes: set the clock (use NTP)",
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  XAdminUserNotFound: CREDENTIALS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  CredentialsProviderError:
    'no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or give the machine a role',
  SlowDown: SLOW,
  ConditionalRequestConflict: 'others change the same object at the same time',
  BadDigest: 'the bytes were altered on their way; they are sent again',
  XAmzContentChecksumMismatch: 'the bytes were altered on their way; they are sent again',
  InvalidObjectState: 'the object is archived: restore it before it can be read',
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  ENOTFOUND:
    'the host name of the store is not known: check lake.s3.endpoint, or set lake.s3.pathStyle: true where buckets are no host names',
  EAI_AGAIN: 'the host name of the store cannot be looked up now: check the name server',
  ECONNREFUSED: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
  SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
  CERT_HAS_EXPIRED: CERTIFICATE,
  ERR_TLS_CERT_ALTNAME_INVALID: CERTIFICATE,
};
const THROTTLES = new Set(['SlowDown', 'Throttling', 'ThrottlingException', 'RequestLimitExceeded', 'TooManyRequests']);
/** Nothing was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** The code S3, or the connection, gave: `NoSuchKey`, `ECONNRESET`; `HTTP 503` where there is no other. */
export function s3CodeOf(error: unknown): string {
  const { name, code, $metadata } = error as Told;
  const status = $metadata?.httpStatusCode;
  if (status === undefined && typeof code === 'string') return code;
  const nameless = typeof name !== 'string' || /^(Error|Unknown(Error)?|S3ServiceException|\d+)$/.test(name);
  if (!nameless) return name;
  return status === undefined ? 'unknown' : `HTTP ${status}`;
}

export function statusOf(error: unknown): number | undefined {
  return (error as Told).$metadata?.httpStatusCode;
}

/** `what` goes after "cannot". An error of the catalogue stays as it is. */
export function s3Failure(error: unknown, what: string): LakewardError {
  if (error instanceof LakewardError) return error;
  const s3Code = s3CodeOf(error);
  const status = statusOf(error);
  if (status === 501) {
    return new LakewardError('lake-unsuitable', `cannot ${what}: the store does not support this (${s3Code})`, {
      cause: error,
      details: { s3Code },
    });
  }
  const throttled = THROTTLES.has(s3Code) || status === 503 || status === 429;
  const answer = status !== undefined && status >= 300 && status < 500 && status !== 408 && status !== 499;
  const refused = NOT_SENT.has(s3Code) || answer;
  return new LakewardError('lake-unavailable', `cannot ${what}: ${adviceOf(error, s3Code, throttled)} (${s3Code})`, {
    cause: error,
    details: { s3Code, ...(throttled && { throttled }), ...(refused && { refused }) },
  });
}

function adviceOf(error: unknown, s3Code: string, throttled: boolean): string {
  const status = statusOf(error);
  const known = ADVICE[s3Code];
  const moved = known === REGION || status === 301;
  if (moved) {
    const { $response, Region } = error as Told;
    const region = $response?.headers?.['x-amz-bucket-region'] ?? Region;
    return typeof region === 'string' ? `${REGION} to ${region}` : REGION;
  }
  if (known !== undefined) return known;
  if (throttled) return SLOW;
  if (status === 403) return RIGHTS;
  if (status !== undefined && status >= 500) return AWAY;
  const { message } = error as Told;
  if (typeof message === 'string' && /^Region (is missing|not accepted)/.test(message)) return NO_REGION;
  return typeof message === 'string' && message !== '' ? message : AWAY;
}
