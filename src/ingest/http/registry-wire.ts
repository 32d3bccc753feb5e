/**
 * What clients of a Confluent schema registry expect beside the routes: media types, and errors as `{error_code, message}` with
 * Confluent's numbers. The catalogue's codes are mapped here and nowhere else.
 */
import type { ErrorCode, LakewardError } from '../../model/errors.ts';
import type { Answer } from '../server/exchange.ts';

export const REGISTRY_TYPE = 'application/vnd.schemaregistry.v1+json';
export const REGISTRY_TYPES: string[] = [REGISTRY_TYPE, 'application/vnd.schemaregistry+json'];

const PATHS = /^\/(?:subjects|schemas|compatibility|config|mode)(?:[/?]|$)/;

export function isRegistryPath(url: string): boolean {
  return PATHS.test(url);
}

/** Status and number of a code; the second where the error is about one version. */
const CODES: Readonly<Partial<Record<ErrorCode, readonly [number, number, number?]>>> = {
  'subject-not-found': [404, 40401],
  'schema-not-found': [404, 40403, 40402],
  'schema-deleted': [404, 40404, 40406],
  'schema-not-deleted': [404, 40405, 40407],
  'schema-incompatible': [409, 409],
  'schema-invalid': [422, 42201],
  'argument-invalid': [422, 422],
  'body-invalid': [422, 42201],
  unauthorized: [401, 40101],
  'not-found': [404, 404],
  'method-not-allowed': [405, 405],
};

/** The answer with Confluent's body. `details.errorCode` names a number that the code alone does not tell. */
export function registryAnswer({ code, message, details }: LakewardError, answer: Answer): Answer {
  const [status, general, ofVersion] = CODES[code] ?? [answer.status, answer.status === 500 ? 50001 : answer.status];
  const told = details?.['errorCode'];
  const number =
    typeof told === 'number' ? told : details?.['version'] === undefined ? general : (ofVersion ?? general);
  return {
    status: typeof told === 'number' ? Number(String(told).slice(0, 3)) : status,
    headers: { ...answer.headers, 'content-type': REGISTRY_TYPE },
    body: JSON.stringify({ error_code: number, message }),
  };
}
