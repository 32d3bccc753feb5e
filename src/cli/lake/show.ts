/** `lakeward lake show`. */
import type { DataFile, DeliveryStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { deliveryPath } from '../delivery/status-text.ts';
import { EXIT } from '../exit-code.ts';
import { count, size, table, time } from '../wording.ts';
import { landedFiles } from './landed-files.ts';

export const lakeShow: Command = {
  name: 'lake show',
  summary: 'Lists landed files with rows, bytes, event times, checksum and why each was closed',
  arguments: [
    { name: 'delivery', about: 'its name' },
    { name: 'partition', about: 'only files of partitions that start so', optional: true },
  ],
  options: {},
  examples: ['lakeward lake show clicks-hourly', 'lakeward lake show clicks-hourly year=2026/month=11/day=22 --json'],
  async run(call) {
    const client = call.client();
    const { spec } = await client.get<DeliveryStatus>(deliveryPath(call.argument(0)), call.signal);
    const partition = call.arguments[1];
    const prefix = partition === undefined ? undefined : `${spec.prefix}/${partition}`;
    const files: DataFile[] = [];
    for await (const file of landedFiles(client, spec.name, prefix)) files.push(file);
    if (call.terminal.json) {
      call.terminal.document({ delivery: spec.name, prefix: spec.prefix, files });
      return EXIT.ok;
    }
    const rows = files.map(cells);
    if (rows.length === 0) call.terminal.say('no files there');
    const header = ['path', 'rows', 'bytes', 'first event', 'last event', 'closed by', 'schema', 'crc-32'];
    if (rows.length > 0) for (const line of table(header, rows, ['rows', 'bytes', 'schema'])) call.terminal.data(line);
    return EXIT.ok;
  },
};

function cells(file: DataFile): string[] {
  return [
    file.path,
    count(file.rows),
    size(file.bytes),
    time(file.eventMinMs),
    time(file.eventMaxMs),
    file.closedBecause,
    String(file.planVersion),
    file.checksum,
  ];
}
