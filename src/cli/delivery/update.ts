/** `lakeward delivery update`: takes what the server has, lays the options over it and sends the whole back. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { CHANGEABLE_OPTIONS, merged, specFile, writtenForm, writtenOptions } from './spec-options.ts';
import { deliveryPath, printOutcome } from './status-text.ts';

export const deliveryUpdate: Command = {
  name: 'delivery update',
  summary: 'Changes how a delivery lands from now on; landed files stay as they are',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {
    file: {
      value: 'json',
      about:
        'read the changes from this file, the only way to give transform, object and lifecycle; null takes a key away; options win over it',
    },
    ...CHANGEABLE_OPTIONS,
  },
  examples: [
    'lakeward delivery update clicks-hourly --flush-age 10m',
    "lakeward delivery update by-product --layout 'day={yyyy}-{MM}-{dd}/product_id={product_id}/'",
  ],
  async run(call) {
    const file = call.option('file');
    const change = merged(file === undefined ? {} : await specFile(file), await writtenOptions(call));
    if (Object.keys(change).length === 0) throw new UsageError('nothing to change: name at least one option');
    const client = call.client();
    const path = deliveryPath(call.argument(0));
    const { spec } = await client.get<DeliveryStatus>(path, call.signal);
    const status = await client.send<DeliveryStatus>('PUT', path, merged(writtenForm(spec), change));
    return printOutcome(call, status, 'updated');
  },
};
