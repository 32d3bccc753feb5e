/** `lakeward delivery create`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import { NEW_NAME } from '../accepted.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { CHANGEABLE_OPTIONS, merged, specFile, writtenOptions } from './spec-options.ts';
import { printOutcome } from './status-text.ts';

export const deliveryCreate: Command = {
  name: 'delivery create',
  summary: 'Starts to land a stream in the lake',
  arguments: [{ name: 'delivery', about: 'its name', accepts: NEW_NAME }],
  options: {
    stream: { value: 'name', about: 'the stream to read (required)' },
    prefix: { value: 'folder', about: 'folder in the lake (default: the name of the delivery)' },
    start: {
      value: 'position',
      about:
        'earliest (default), latest or a time like 2026-11-22T10:00:00Z; no effect when this name has landed this stream before',
    },
    file: {
      value: 'json',
      about:
        'read the specification from this file, the only way to give transform, object and lifecycle; options win over it',
    },
    ...CHANGEABLE_OPTIONS,
  },
  examples: [
    'lakeward delivery create clicks-hourly --stream clicks --event-time time',
    "lakeward delivery create by-product --stream clicks --layout 'product_id={product_id}/' --format csv",
    'lakeward delivery create sensors --stream iot --event-time ts:ms --flush-age 5m --schema sensor.avsc',
  ],
  async run(call) {
    const file = call.option('file');
    const named = Object.fromEntries(
      ['stream', 'prefix', 'start'].flatMap((name) => {
        const value = call.option(name);
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const given = { ...(await writtenOptions(call)), ...named, name: call.argument(0) };
    const spec = merged(file === undefined ? {} : await specFile(file), given);
    if (spec['stream'] === undefined) throw new UsageError('--stream is missing: the stream to read');
    const status = await call.client().send<DeliveryStatus>('POST', '/v1/deliveries', spec);
    const code = printOutcome(call, status, 'created');
    if (status.continues !== undefined && !call.terminal.json)
      call.terminal.say(
        `${status.spec.name} landed this stream before: it goes on behind entry ${status.continues.entry} of its landing log, --start has no effect`,
      );
    call.terminal.next(`lakeward delivery flush ${status.spec.name} && lakeward lake ls ${status.spec.name}`);
    return code;
  },
};
