/** `lakeward stream list`. */
import type { StreamView } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { count, size, table, time } from '../wording.ts';

export const streamList: Command = {
  name: 'stream list',
  summary: 'Lists streams',
  arguments: [],
  options: {},
  examples: ['lakeward stream list', 'lakeward stream list --json'],
  async run(call) {
    const { streams } = await call.client().get<{ streams: readonly StreamView[] }>('/v1/streams', call.signal);
    if (call.terminal.json) {
      call.terminal.document({ streams });
      return EXIT.ok;
    }
    if (streams.length === 0) {
      call.terminal.say('no streams yet');
      call.terminal.next('lakeward stream create clicks');
      return EXIT.ok;
    }
    const rows = streams.map((stream) => [
      stream.name,
      count(stream.shards.filter(({ closed }) => !closed).length),
      count(stream.records),
      size(stream.bytes),
      `${stream.retentionHours} h`,
      time(stream.createdMs),
    ]);
    const header = ['stream', 'shards', 'records', 'bytes', 'kept', 'created'];
    for (const line of table(header, rows, ['shards', 'records', 'bytes', 'kept'])) call.terminal.data(line);
    return EXIT.ok;
  },
};
