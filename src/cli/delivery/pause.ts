/** `lakeward delivery pause`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { deliveryPath, printOutcome } from './status-text.ts';

export const deliveryPause: Command = {
  name: 'delivery pause',
  summary: 'Stops landing; records wait in the stream',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward delivery pause clicks-hourly'],
  async run(call) {
    const name = call.argument(0);
    const status = await call.client().send<DeliveryStatus>('POST', `${deliveryPath(name)}/pause`);
    const code = printOutcome(call, status, 'paused');
    call.terminal.next(`lakeward delivery resume ${name}`);
    return code;
  },
};
