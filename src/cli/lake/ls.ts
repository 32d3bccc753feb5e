/** `lakeward lake ls`. */
import type { DataFile, DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { deliveryPath } from '../delivery/status-text.ts';
import { EXIT } from '../exit-code.ts';
import { landedFiles } from './landed-files.ts';
import { partitionTree, treeLines } from './tree.ts';

export const lakeLs: Command = {
  name: 'lake ls',
  summary: 'Shows the lake as a tree of partitions with rows, files and bytes',
  arguments: [{ name: 'delivery', about: 'only this one', optional: true }],
  options: {
    under: { value: 'partition', about: 'only partitions that start so, like year=2026/month=11' },
    depth: { value: 'n', about: 'levels shown below each delivery (default: as many as fit in 200 lines)' },
  },
  examples: [
    'lakeward lake ls',
    'lakeward lake ls clicks-hourly --under year=2026/month=11',
    'lakeward lake ls --depth 1',
    'lakeward lake ls --json',
  ],
  async run(call) {
    const depth = call.number('depth', 0);
    const client = call.client();
    const [name] = call.arguments;
    const statuses =
      name === undefined
        ? (await client.get<{ deliveries: readonly DeliveryStatus[] }>('/v1/deliveries', call.signal)).deliveries
        : [await client.get<DeliveryStatus>(deliveryPath(name), call.signal)];
    const under = call.option('under');
    const listed: { delivery: string; prefix: string; files: readonly DataFile[] }[] = [];
    for (const { spec } of statuses) {
      const files: DataFile[] = [];
      const prefix = under === undefined ? undefined : `${spec.prefix}/${under}`;
      for await (const file of landedFiles(client, spec.name, prefix)) files.push(file);
      if (call.terminal.json) listed.push({ delivery: spec.name, prefix: spec.prefix, files });
      else if (files.length === 0)
        call.terminal.say(`${spec.name}: nothing landed${under === undefined ? ' yet' : ' there'}`);
      else for (const line of treeLines(partitionTree(spec.prefix, files), depth)) call.terminal.data(line);
    }
    if (call.terminal.json) {
      call.terminal.document({ deliveries: listed });
      return EXIT.ok;
    }
    const first = statuses[0];
    if (first !== undefined) call.terminal.next(`lakeward lake show ${first.spec.name}`);
    else call.terminal.say('no deliveries yet');
    return EXIT.ok;
  },
};
