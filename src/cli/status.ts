/** `lakeward status`. */
import type { KnownProcess, ServerStatus } from '../app/control-answers.ts';
import type { Command, Invocation } from './command.ts';
import { deliveryTable, troubleLines } from './delivery/list.ts';
import { EXIT } from './exit-code.ts';
import { fleetLines, processTable, shareTable } from './process-tables.ts';
import { count, duration, size, table } from './wording.ts';

export const status: Command = {
  name: 'status',
  summary: 'Shows the server, its streams, its deliveries, and the processes that share them',
  arguments: [],
  options: {},
  examples: ['lakeward status', 'lakeward status --json | jq .deliveries[].state'],
  async run(call) {
    const { terminal } = call;
    const client = call.client();
    const server = await client.get<ServerStatus>('/v1/status', call.signal);
    if (terminal.json) {
      terminal.document(server);
      return EXIT.ok;
    }
    terminal.data(`server   ${client.url}, version ${server.version}, Node ${server.nodeVersion}`);
    terminal.data(`up       ${duration(call.clock.nowMs() - server.startedMs)}, memory ${size(server.memoryBytes)}`);
    terminal.data(
      `data     ${server.dataFolder} (${size(server.disk.freeBytes)} free, ${size(server.disk.reserveBytes)} kept in reserve)`,
    );
    terminal.data(`lake     ${server.lake} (${server.guarantee})`);
    if (server.streams.length > 0) {
      terminal.data('');
      const rows = server.streams.map((it) => [it.name, count(it.shards.length), count(it.records), size(it.bytes)]);
      for (const line of table(['stream', 'shards', 'records', 'bytes'], rows, ['shards', 'records', 'bytes']))
        terminal.data(line);
    }
    if (server.deliveries.length > 0) terminal.data('');
    if (server.deliveries.length > 0)
      for (const line of deliveryTable(server.deliveries, call.clock.nowMs())) terminal.data(line);
    for (const line of troubleLines(server.deliveries)) terminal.data(terminal.paint.bad(line));
    if (server.processes !== undefined) showProcesses(call, server, server.processes);
    const stream = server.streams[0];
    if (stream === undefined) terminal.next('lakeward stream create clicks');
    else if (server.deliveries.length === 0)
      terminal.next(`lakeward delivery create ${stream.name}-hourly --stream ${stream.name}`);
    return EXIT.ok;
  },
};

function showProcesses(
  { terminal, clock }: Invocation,
  { deliveries }: ServerStatus,
  processes: readonly KnownProcess[],
): void {
  const nowMs = clock.nowMs();
  for (const lines of [processTable(processes, nowMs), shareTable(processes, nowMs)]) {
    if (lines.length === 0) continue;
    terminal.data('');
    for (const line of lines) terminal.data(line);
  }
  for (const line of fleetLines(processes, deliveries)) terminal.data(terminal.paint.bad(line));
}
