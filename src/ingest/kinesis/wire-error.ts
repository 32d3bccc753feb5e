/**
 * Errors as Kinesis clients know them: a type, a status and a message. They live on this side of the protocol only; what the
 * product's own codes become here is one switch, so that a new code cannot be forgotten.
 */
import type { ErrorCode } from '../../model/errors.ts';
import { isLakewardError } from '../../model/errors.ts';

export type WireErrorType =
  | 'DryRunOperationException'
  | 'ExpiredIteratorException'
  | 'ExpiredNextTokenException'
  | 'IncompleteSignatureException'
  | 'InternalFailure'
  | 'InvalidArgumentException'
  | 'InvalidSignatureException'
  | 'LimitExceededException'
  | 'MissingAuthenticationTokenException'
  | 'ProvisionedThroughputExceededException'
  | 'ResourceInUseException'
  | 'ResourceNotFoundException'
  | 'SerializationException'
  | 'ServiceUnavailable'
  | 'UnknownOperationException'
  | 'UnrecognizedClientException'
  | 'ValidationException';

export class WireError extends Error {
  readonly type: WireErrorType;

  constructor(type: WireErrorType, message = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'WireError';
    this.type = type;
  }
}

/** SDKs retry 500 and 503 and throttles; every other type is the caller's to mend. */
export function statusOf(type: WireErrorType): number {
  if (type === 'InternalFailure') return 500;
  if (type === 'ServiceUnavailable') return 503;
  return type === 'MissingAuthenticationTokenException' ? 403 : 400;
}

/** JSON 1.1 text of an error. Type problems carry a capital `Message`, all others a small one. */
export function errorText({ type, message }: WireError): string {
  if (message === '') return JSON.stringify({ __type: type });
  const member = type === 'SerializationException' ? 'Message' : 'message';
  return JSON.stringify({ __type: type, [member]: message });
}

/** Any failure as a wire error. */
export function wireErrorOf(error: unknown): WireError {
  if (error instanceof WireError) return error;
  if (!isLakewardError(error)) {
    return new WireError('InternalFailure', 'The request failed inside the server; its log holds the cause.', {
      cause: error,
    });
  }
  return new WireError(typeOf(error.code), error.message, { cause: error });
}

function typeOf(code: ErrorCode): WireErrorType {
  switch (code) {
    case 'stream-not-found':
    case 'shard-not-found':
    case 'not-found':
    case 'delivery-not-found':
      return 'ResourceNotFoundException';
    case 'stream-exists':
    case 'stream-in-use':
    case 'catalog-conflict':
    case 'delivery-exists':
    case 'stream-updating':
      return 'ResourceInUseException';
    case 'argument-invalid':
    case 'body-too-large':
    case 'record-too-large':
    case 'role-missing':
      return 'InvalidArgumentException';
    case 'body-invalid':
      return 'SerializationException';
    case 'position-expired':
      return 'ExpiredIteratorException';
    case 'broker-overloaded':
    case 'shards-moving':
      return 'ProvisionedThroughputExceededException';
    // 503 is retried by every SDK, as are these conditions by nature.
    case 'broker-closed':
    case 'disk-full':
    case 'service-stopping':
      return 'ServiceUnavailable';
    case 'unauthorized':
      return 'UnrecognizedClientException';
    default:
      return 'InternalFailure';
  }
}

/** What one record of PutRecords failed with: Kinesis knows two kinds here. */
export function recordErrorType(code: ErrorCode): 'ProvisionedThroughputExceededException' | 'InternalFailure' {
  return code === 'broker-overloaded' || code === 'shards-moving'
    ? 'ProvisionedThroughputExceededException'
    : 'InternalFailure';
}
