/** `ExplicitHashKey`: the producer chooses the place in the hash range, and the partition key no longer does. */
import { parseHashKey } from '../../model/hash-range.ts';
import type { ShardIndex } from '../../model/stream.ts';
import type { LiveStream } from '../streams.ts';
import { WireError } from './wire-error.ts';

export function explicitShard(text: string, stream: LiveStream): ShardIndex {
  const hashKey = parseHashKey(text);
  if (hashKey === undefined) {
    throw new WireError('InvalidArgumentException', `Invalid ExplicitHashKey. It must be in 0 to 2^128-1: ${text}`);
  }
  return stream.router.ofHashKey(hashKey);
}
