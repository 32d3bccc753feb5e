/** `lakeward stream create`. */
import type { StreamView } from '../../app/control-answers.ts';
import { LIMITS } from '../../model/limits.ts';
import { NEW_NAME } from '../accepted.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { plural } from '../wording.ts';

export const streamCreate: Command = {
  name: 'stream create',
  summary: 'Makes a stream',
  arguments: [{ name: 'stream', about: 'its name: letters, digits, _ . -', accepts: NEW_NAME }],
  options: {
    shards: { value: 'n', about: `shards, 1 to ${LIMITS.shardsMax} (default 1)` },
    topic: { value: 'name', about: 'a Kafka topic that is there, to be the stream; shards and retention are its own' },
    'retention-hours': { value: 'h', about: 'how long records are kept in the stream, 1 to 8760 (default 24)' },
  },
  examples: [
    'lakeward stream create clicks',
    'lakeward stream create clicks --shards 4 --retention-hours 72',
    'lakeward stream create clicks --topic web.clicks',
  ],
  async run(call) {
    const shards = call.number('shards', 1, LIMITS.shardsMax);
    const retentionHours = call.number('retention-hours', 1, 8760);
    const topic = call.option('topic');
    const body = {
      name: call.argument(0),
      ...(topic === undefined ? {} : { topic }),
      ...(shards === undefined ? {} : { shards }),
      ...(retentionHours === undefined ? {} : { retentionHours }),
    };
    const stream = await call.client().send<StreamView>('POST', '/v1/streams', body);
    if (call.terminal.json) call.terminal.document(stream);
    else
      call.terminal.data(
        `${stream.name} created: ${plural(stream.shards.length, 'shard')}, kept ${stream.retentionHours} h`,
      );
    call.terminal.next(`lakeward put ${stream.name} events.ndjson`);
    return EXIT.ok;
  },
};
