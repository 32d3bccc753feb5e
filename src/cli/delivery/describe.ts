/** `lakeward delivery describe`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { deliveryPath, details } from './status-text.ts';

export const deliveryDescribe: Command = {
  name: 'delivery describe',
  summary: 'Shows a delivery: specification, what landed, what waits, what is wrong',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward delivery describe clicks-hourly', 'lakeward delivery describe clicks-hourly --json | jq .spec'],
  async run(call) {
    const status = await call.client().get<DeliveryStatus>(deliveryPath(call.argument(0)), call.signal);
    if (call.terminal.json) call.terminal.document(status);
    else for (const line of details(status, call.clock.nowMs())) call.terminal.data(line);
    if (status.rejects.openRows > 0) call.terminal.next(`lakeward rejected list ${status.spec.name}`);
    else call.terminal.next(`lakeward lake ls ${status.spec.name}`);
    return EXIT.ok;
  },
};
