/** `lakeward rejected list`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { deliveryPath } from '../delivery/status-text.ts';
import { EXIT } from '../exit-code.ts';
import { count, table } from '../wording.ts';
import { printGroups } from './groups.ts';
import type { ReasonCount } from './rejected-rows.ts';
import { countReasons, rejectedRows } from './rejected-rows.ts';

export const rejectedList: Command = {
  name: 'rejected list',
  summary: 'Counts the rows that could not land, by reason',
  arguments: [{ name: 'delivery', about: 'only this one', optional: true }],
  options: { group: { about: 'counts of the landing log, over the delivery’s life and lately; reads no rows' } },
  examples: ['lakeward rejected list', 'lakeward rejected list --group', 'lakeward rejected list clicks-hourly --json'],
  async run(call) {
    const client = call.client();
    const [name] = call.arguments;
    const statuses =
      name === undefined
        ? (await client.get<{ deliveries: readonly DeliveryStatus[] }>('/v1/deliveries', call.signal)).deliveries
        : [await client.get<DeliveryStatus>(deliveryPath(name), call.signal)];
    if (call.flag('group')) return printGroups(call, statuses);
    const rows: string[][] = [];
    const counted: { delivery: string; reasons: readonly ReasonCount[] }[] = [];
    for (const { spec } of statuses) {
      const reasons = await countReasons(rejectedRows(client, spec.name));
      counted.push({ delivery: spec.name, reasons });
      rows.push(
        ...reasons.map((it) => [spec.name, it.code, it.column ?? '-', count(it.rows), it.example.slice(0, 80)]),
      );
    }
    if (call.terminal.json) {
      call.terminal.document({ deliveries: counted });
      return EXIT.ok;
    }
    if (rows.length === 0) {
      call.terminal.say('no rejected rows');
      return EXIT.ok;
    }
    for (const line of table(['delivery', 'code', 'column', 'rows', 'for example'], rows, ['rows']))
      call.terminal.data(line);
    call.terminal.next(`lakeward rejected show ${rows[0]?.[0] ?? ''}`);
    return EXIT.ok;
  },
};
