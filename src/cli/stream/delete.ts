/** `lakeward stream delete`. */
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export const streamDelete: Command = {
  name: 'stream delete',
  summary: 'Deletes a stream and the records in it; landed files stay',
  arguments: [{ name: 'stream', about: 'its name' }],
  options: { force: { about: 'also when deliveries read it' } },
  examples: ['lakeward stream delete clicks', 'lakeward stream delete clicks --force'],
  async run(call) {
    const name = call.argument(0);
    const query = call.flag('force') ? '?force=true' : '';
    await call.client().send('DELETE', `/v1/streams/${encodeURIComponent(name)}${query}`);
    if (call.terminal.json) call.terminal.document({ deleted: name });
    else call.terminal.data(`${name} deleted`);
    return EXIT.ok;
  },
};
