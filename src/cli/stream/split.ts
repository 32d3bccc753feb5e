/** `lakeward stream split`. */
import type { Command } from '../command.ts';
import { changeShards } from './changed-shards.ts';

export const streamSplit: Command = {
  name: 'stream split',
  summary: 'Splits a shard in two',
  arguments: [
    { name: 'stream', about: 'its name' },
    { name: 'shard', about: 'an open shard, like shardId-000000000000' },
  ],
  options: { at: { value: 'hash-key', about: 'first hash key of the second half (default: the middle)' } },
  examples: ['lakeward stream split clicks shardId-000000000000'],
  run(call) {
    const at = call.option('at');
    return changeShards(call, { split: call.argument(1), ...(at === undefined ? {} : { at }) });
  },
};
