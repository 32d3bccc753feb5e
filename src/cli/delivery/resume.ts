/** `lakeward delivery resume`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { deliveryPath, printOutcome } from './status-text.ts';

export const deliveryResume: Command = {
  name: 'delivery resume',
  summary: 'Goes on landing; also clears a suspension',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward delivery resume clicks-hourly'],
  async run(call) {
    const name = call.argument(0);
    const status = await call.client().send<DeliveryStatus>('POST', `${deliveryPath(name)}/resume`);
    const code = printOutcome(call, status, 'resumed');
    call.terminal.next(`lakeward delivery describe ${name}`);
    return code;
  },
};
