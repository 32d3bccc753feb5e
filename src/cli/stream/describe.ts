/** `lakeward stream describe`. */
import type { StreamView } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { count, size, table, time } from '../wording.ts';

export const streamDescribe: Command = {
  name: 'stream describe',
  summary: 'Shows a stream with its shards',
  arguments: [{ name: 'stream', about: 'its name' }],
  options: {},
  examples: ['lakeward stream describe clicks'],
  async run(call) {
    const name = call.argument(0);
    const stream = await call.client().get<StreamView>(`/v1/streams/${encodeURIComponent(name)}`, call.signal);
    if (call.terminal.json) {
      call.terminal.document(stream);
      return EXIT.ok;
    }
    const { terminal } = call;
    terminal.data(`stream   ${stream.name}`);
    terminal.data(`id       ${stream.id}`);
    terminal.data(`created  ${time(stream.createdMs)}`);
    terminal.data(`kept     ${stream.retentionHours} h: ${count(stream.records)} records, ${size(stream.bytes)}`);
    if (stream.updating) terminal.data('shards   are being changed');
    terminal.data('');
    const rows = stream.shards.map((shard) => [
      shard.id,
      shard.closed ? 'closed' : 'open',
      shard.startingHashKey,
      shard.endingHashKey,
      shard.parents.join(' ') || '-',
    ]);
    for (const line of table(['shard', 'state', 'first hash key', 'last hash key', 'parents'], rows))
      terminal.data(line);
    terminal.next(`lakeward stream tail ${stream.name}`);
    return EXIT.ok;
  },
};
