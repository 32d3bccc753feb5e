/** `lakeward delivery flush`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { deliveryPath, printOutcome } from './status-text.ts';

export const deliveryFlush: Command = {
  name: 'delivery flush',
  summary: 'Lands now what is in the stream; done when the files are visible',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward delivery flush clicks-hourly'],
  async run(call) {
    const name = call.argument(0);
    const status = await call.client().send<DeliveryStatus>('POST', `${deliveryPath(name)}/flush`);
    const code = printOutcome(call, status, 'flushed');
    call.terminal.next(`lakeward lake ls ${name}`);
    return code;
  },
};
