/** `lakeward stream merge`. */
import type { Command } from '../command.ts';
import { changeShards } from './changed-shards.ts';

export const streamMerge: Command = {
  name: 'stream merge',
  summary: 'Merges two shards whose hash keys are neighbours',
  arguments: [
    { name: 'stream', about: 'its name' },
    { name: 'shard', about: 'an open shard' },
    { name: 'neighbour', about: 'the other' },
  ],
  options: {},
  examples: ['lakeward stream merge clicks shardId-000000000001 shardId-000000000002'],
  run: (call) => changeShards(call, { merge: [call.argument(1), call.argument(2)] }),
};
