/** `lakeward delivery delete`. */
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { deliveryPath } from './status-text.ts';

export const deliveryDelete: Command = {
  name: 'delivery delete',
  summary: 'Stops and forgets a delivery; landed files stay',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward delivery delete clicks-hourly'],
  async run(call) {
    const name = call.argument(0);
    await call.client().send('DELETE', deliveryPath(name));
    if (call.terminal.json) call.terminal.document({ deleted: name });
    else call.terminal.data(`${name} deleted; its files stay in the lake`);
    return EXIT.ok;
  },
};
