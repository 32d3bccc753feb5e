/** `lakeward rejected list --group`: what the landing log counts, without reading a row. */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { Invocation } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { count, table } from '../wording.ts';

export function printGroups(call: Invocation, statuses: readonly DeliveryStatus[]): number {
  if (call.terminal.json) {
    call.terminal.document({ deliveries: statuses.map(({ spec, rejects }) => ({ delivery: spec.name, ...rejects })) });
    return EXIT.ok;
  }
  const rows = statuses.flatMap(({ spec, rejects }) =>
    rejects.groups.map(({ code, column, rejected, skipped, replayed }) => {
      const same = (other: { readonly code: string; readonly column?: string }): boolean =>
        other.code === code && other.column === column;
      const lately = rejects.lately.groups.find(same)?.rows ?? 0;
      return [spec.name, code, column ?? '-', ...[rejected - replayed, replayed, skipped, lately].map(count)];
    }),
  );
  if (rows.length === 0) {
    call.terminal.say('no rejected rows');
    return EXIT.ok;
  }
  const numbers = ['open', 'replayed', 'skipped', 'lately'];
  for (const line of table(['delivery', 'code', 'column', ...numbers], rows, numbers)) call.terminal.data(line);
  call.terminal.next(`lakeward rejected list ${rows[0]?.[0] ?? ''}`);
  return EXIT.ok;
}
