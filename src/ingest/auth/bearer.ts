/**
 * `Authorization: Bearer <secret>` on everything but the Kinesis wire, or `Basic` with the id of the key and its secret, which is what
 * clients of schema registries send. Secrets are compared by their digests in constant time,
 * against every key, so that neither the answer's time nor its text says how near a guess was.
 */
import { Buffer } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';
import { LakewardError } from '../../model/errors.ts';
import type { AccessKey } from '../server-options.ts';

/** Gives a check that throws `unauthorized`; it lets everybody pass when there are no keys. */
export function bearerCheck(keys: readonly AccessKey[]): (authorization: string | undefined) => void {
  const known = keys.map(({ id, secret }) => ({ bearer: digest(secret), basic: digest(`${id}:${secret}`) }));
  return (authorization) => {
    if (known.length === 0) return;
    const [, scheme = '', token] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) throw new LakewardError('unauthorized', 'send a key: Authorization: Bearer <secret>');
    const isBasic = scheme.toLowerCase() === 'basic';
    const given = digest(isBasic ? Buffer.from(token, 'base64').toString() : token);
    let found = false;
    for (const { basic, bearer } of known) found = timingSafeEqual(given, isBasic ? basic : bearer) || found;
    if (!found) throw new LakewardError('unauthorized', 'no key has this secret');
  };
}

function digest(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest();
}
