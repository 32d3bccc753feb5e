/**
 * `Authorization: Bearer <secret>` on everything but the Kinesis wire. Secrets are compared by their digests in constant time,
 * against every key, so that neither the answer's time nor its text says how near a guess was.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { LakewardError } from '../../model/errors.ts';
import type { AccessKey } from '../server-options.ts';

/** Gives a check that throws `unauthorized`; it lets everybody pass when there are no keys. */
export function bearerCheck(keys: readonly AccessKey[]): (authorization: string | undefined) => void {
  const digests = keys.map(({ secret }) => digest(secret));
  return (authorization) => {
    if (digests.length === 0) return;
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new LakewardError('unauthorized', 'send a key: Authorization: Bearer <secret>');
    const given = digest(token);
    let known = false;
    for (const wanted of digests) known = timingSafeEqual(given, wanted) || known;
    if (!known) throw new LakewardError('unauthorized', 'no key has this secret');
  };
}

function digest(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest();
}
