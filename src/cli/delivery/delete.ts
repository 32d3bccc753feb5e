/** `lakeward delivery delete`. */
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { deliveryPath } from './status-text.ts';

export const deliveryDelete: Command = {
  name: 'delivery delete',
  summary: 'Stops and forgets a delivery; landed files and its landing log stay',
  arguments: [{ name: 'delivery', about: 'its name; made again on the same stream, it goes on where it was' }],
  options: {},
  examples: ['lakeward delivery delete clicks-hourly'],
  async run(call) {
    const name = call.argument(0);
    await call.client().send('DELETE', deliveryPath(name));
    if (call.terminal.json) call.terminal.document({ deleted: name });
    else call.terminal.data(`${name} deleted; its files and its landing log stay in the lake`);
    return EXIT.ok;
  },
};
