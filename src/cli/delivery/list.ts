/** `lakeward delivery list`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { count, table } from '../wording.ts';

const HEADER = ['delivery', 'stream', 'state', 'format', 'rows', 'files', 'rejected', 'waiting'];

export const deliveryList: Command = {
  name: 'delivery list',
  summary: 'Lists deliveries',
  arguments: [],
  options: {},
  examples: ['lakeward delivery list', 'lakeward delivery list --json'],
  async run(call) {
    const { deliveries } = await call
      .client()
      .get<{ deliveries: readonly DeliveryStatus[] }>('/v1/deliveries', call.signal);
    if (call.terminal.json) {
      call.terminal.document({ deliveries });
      return EXIT.ok;
    }
    if (deliveries.length === 0) {
      call.terminal.say('no deliveries yet');
      call.terminal.next('lakeward delivery create clicks-hourly --stream clicks');
      return EXIT.ok;
    }
    for (const line of deliveryTable(deliveries)) call.terminal.data(line);
    return EXIT.ok;
  },
};

export function deliveryTable(deliveries: readonly DeliveryStatus[]): string[] {
  const rows = deliveries.map((status) => [
    status.spec.name,
    status.spec.stream,
    status.state,
    status.spec.format,
    count(status.rows),
    count(status.files),
    count(status.rejectedRows),
    count(status.pending.records),
  ]);
  return table(HEADER, rows, ['rows', 'files', 'rejected', 'waiting']);
}
