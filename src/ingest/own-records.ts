/** Records that the server itself has for a stream, stored as those of producers are: routed by key, and kept off shards that are being closed. */
import { LakewardError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { batchWriter } from './batch-writer.ts';
import type { Streams } from './streams.ts';

export interface OwnRecord {
  /** Cut to its last characters when it is longer than a partition key may be. */
  readonly key: string;
  readonly data: Uint8Array;
}

/** Resolves when all are durable. Throws `stream-not-found`, and the code of the first record that was not stored. */
export async function putOwnRecords(
  streams: Pick<Streams, 'get' | 'append'>,
  stream: string,
  records: readonly OwnRecord[],
  call?: CallOptions,
): Promise<void> {
  const keys = records.map(({ key }) => Array.from(key).slice(-LIMITS.partitionKeyCharsMax).join(''));
  const keyBytes = keys.reduce((sum, key) => sum + Buffer.byteLength(key), 0);
  const dataBytes = records.reduce((sum, { data }) => sum + data.byteLength, 0);
  const bounds = { records: records.length, keyBytes, dataBytes };
  const writer = batchWriter(bounds, (bytes) => Buffer.alloc(bytes));
  for (const [i, { data }] of records.entries()) writer.addBytes(data, keys[i] ?? '');
  const { result } = await streams.append(streams.get(stream), writer, call?.signal);
  const [failure] = result.failures;
  if (failure !== undefined) throw new LakewardError(failure.code, `stream '${stream}' could not store a record`);
}
