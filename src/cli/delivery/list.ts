/** `lakeward delivery list`. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { ageText, count, table, time } from '../wording.ts';

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
    for (const line of deliveryTable(deliveries, call.clock.nowMs())) call.terminal.data(line);
    for (const line of troubleLines(deliveries)) call.terminal.data(line);
    return EXIT.ok;
  },
};

/** Counts that are zero where all is well; a column each where they are not. */
const ODD = [
  ['skipped', ({ rejects }: DeliveryStatus) => rejects.skippedRows],
  ['filtered', ({ filteredRows }: DeliveryStatus) => filteredRows],
  ['late', ({ lateRows }: DeliveryStatus) => lateRows],
  ['held', ({ held }: DeliveryStatus) => held?.rows ?? 0],
  ['duplicate', ({ duplicateRows }: DeliveryStatus) => duplicateRows],
  ['no id', ({ unkeyedRows }: DeliveryStatus) => unkeyedRows],
  ['extra', ({ extraRows }: DeliveryStatus) => extraRows],
  ['lost', ({ lostOffsets }: DeliveryStatus) => lostOffsets],
] as const;

/** `oldest` is how long the oldest waiting record waits. */
export function deliveryTable(deliveries: readonly DeliveryStatus[], nowMs: number): string[] {
  const odd = ODD.filter(([, of]) => deliveries.some((status) => of(status) > 0));
  const numbers = ['rows', 'files', 'rejected', ...odd.map(([title]) => title), 'waiting', 'oldest'];
  const rows = deliveries.map((status) => [
    status.spec.name,
    status.spec.stream,
    status.state,
    status.spec.format,
    count(status.rows),
    count(status.files),
    count(status.rejects.openRows),
    ...odd.map(([, of]) => count(of(status))),
    count(status.pending.records),
    ageText(status.pending.oldestArrivalMs, nowMs),
  ]);
  return table(['delivery', 'stream', 'state', 'format', ...numbers], rows, numbers);
}

/** What is wrong with deliveries, a line each. */
export function troubleLines(deliveries: readonly DeliveryStatus[]): string[] {
  return deliveries.flatMap(({ spec, state, trouble }) =>
    trouble === undefined
      ? []
      : `${spec.name} is ${state} since ${time(trouble.sinceMs)}: ${trouble.message} [${trouble.code}]`,
  );
}
