/** `lakeward stream scale`. */
import { LIMITS } from '../../model/limits.ts';
import type { Command } from '../command.ts';
import { wholeNumber } from '../accepted.ts';
import { changeShards } from './changed-shards.ts';

export const streamScale: Command = {
  name: 'stream scale',
  summary: 'Gives a stream so many shards of equal size',
  arguments: [
    { name: 'stream', about: 'its name' },
    { name: 'shards', about: `how many, 1 to ${LIMITS.shardsMax}`, accepts: wholeNumber(1, LIMITS.shardsMax) },
  ],
  options: {},
  examples: ['lakeward stream scale clicks 8'],
  run: (call) => changeShards(call, { count: Number(call.argument(1)) }),
};
