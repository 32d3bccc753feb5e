/**
 * `lakeward demo`: the whole product once, with real data, a real server and real HTTP, in a folder of its own. It ends by itself and
 * says with its exit code whether what was sent is what landed.
 */
import { join, relative } from 'node:path';
import type { RunningServer } from '../../app/compose.ts';
import type { DataFile, DeliveryStatus } from '../../app/control-answers.ts';
import type { Command, Invocation } from '../command.ts';
import type { ControlClient } from '../control-client.ts';
import { createControlClient } from '../control-client.ts';
import { deliveryPath } from '../delivery/status-text.ts';
import { EXIT } from '../exit-code.ts';
import { landedFiles } from '../lake/landed-files.ts';
import { partitionTree, treeLines } from '../lake/tree.ts';
import { countReasons, rejectedRows } from '../rejected/rejected-rows.ts';
import { count, duration, plural, table } from '../wording.ts';
import { freshDemoFolder } from './demo-folder.ts';
import type { SentCounts } from './demo-source.ts';
import { replay, sendTrouble } from './demo-source.ts';
import { flightGroups } from './flights.ts';
import type { Verdict } from './verdict.ts';
import { verdict } from './verdict.ts';

export const demo: Command = {
  name: 'demo',
  summary:
    'Shows everything in under a minute: a day of flights and live metrics of this host, from HTTP to Parquet and CSV',
  arguments: [],
  options: {
    folder: { value: 'path', about: 'made anew each time (default ./lakeward-demo)' },
    seconds: { value: 'n', about: 'length of the replay, 0 to 60 (default 8)' },
  },
  examples: ['lakeward demo', 'lakeward demo --folder /tmp/demo --seconds 2'],
  run: play,
};

const DELIVERIES = [
  { name: 'flights', stream: 'flights', eventTime: 'departure', flush: { age: '1h' } },
  {
    name: 'host-metrics',
    stream: 'host-metrics',
    layout: 'device_id={device_id}/',
    eventTime: { field: 'measured_at', form: 'ms' },
    format: 'csv',
    flush: { age: '1h' },
  },
];

async function play(call: Invocation): Promise<number> {
  const code = await withServer(call);
  goOn(call);
  return code;
}

async function withServer(call: Invocation): Promise<number> {
  const seconds = call.number('seconds', 0, 60) ?? 8;
  const startedMs = call.clock.monotonicMs();
  const folder = await freshDemoFolder(call.option('folder') ?? 'lakeward-demo');
  const { startServer, demoConfig } = await import('../../app/demo-server.ts');
  const server: RunningServer = await startServer(await demoConfig(folder));
  try {
    const client = createControlClient({ url: server.address.url, key: undefined });
    call.terminal.say(`server on ${client.url}, everything below ${relative('', folder) || folder}/`);
    await client.send('POST', '/v1/streams', { name: 'flights', shards: 4 });
    await client.send('POST', '/v1/streams', { name: 'host-metrics', shards: 2 });
    for (const spec of DELIVERIES) await client.send('POST', '/v1/deliveries', spec);
    const sent = await sendAll(call, client, seconds);
    const statuses = await Promise.all(DELIVERIES.map(({ name }) => client.get<DeliveryStatus>(deliveryPath(name))));
    const rejected = { flights: statuses[0]?.rejectedRows ?? 0, metrics: statuses[1]?.rejectedRows ?? 0 };
    const result = await verdict(join(folder, 'lake'), sent, rejected);
    const ok = result.checks.every((check) => check.ok);
    if (call.terminal.json)
      call.terminal.document({
        ok,
        sent,
        checks: result.checks,
        sql: result.sql,
        answer: result.answer,
        deliveries: statuses,
      });
    else await tell(call, client, { statuses, result, folder });
    const elapsed = duration(call.clock.monotonicMs() - startedMs);
    const words = call.terminal.words;
    call.terminal.say(
      ok
        ? words.good(`everything that was sent has landed exactly once; ${elapsed}`)
        : words.bad('the lake does not hold what was sent'),
    );
    return ok ? EXIT.ok : EXIT.failed;
  } finally {
    await server.close('the demo is over');
  }
}

async function sendAll(call: Invocation, client: ControlClient, seconds: number): Promise<SentCounts> {
  const flights = await flightGroups();
  const sent: SentCounts = { flights: 0, flightsLate: 0, flightsBroken: 0, metrics: 0, metricsBroken: 0 };
  call.terminal.say(
    `29 June 2001, all flights of the US in ${seconds} s (plain HTTP), beside it metrics of this host (Kinesis wire)`,
  );
  await replay(call, client, { flights, seconds, sent });
  call.terminal.say(`sent ${plural(sent.flights, 'flight')} and ${plural(sent.metrics, 'metric')}; landing`);
  await flush(client);
  await sendTrouble(client, flights, sent);
  call.terminal.say(
    `sent ${plural(sent.flightsLate, 'flight')} late and ${plural(sent.flightsBroken + sent.metricsBroken, 'broken record')}; landing`,
  );
  await flush(client);
  return sent;
}

async function flush(client: ControlClient): Promise<void> {
  await Promise.all(DELIVERIES.map(({ name }) => client.send('POST', `${deliveryPath(name)}/flush`)));
}

async function tell(
  call: Invocation,
  client: ControlClient,
  { statuses, result, folder }: { statuses: readonly DeliveryStatus[]; result: Verdict; folder: string },
): Promise<void> {
  const { terminal } = call;
  const title = (text: string): void => terminal.data(`\n${terminal.paint.bold(text)}`);
  title(`The lake: ${join(relative('', folder) || folder, 'lake')}`);
  for (const { spec } of statuses) {
    const files: DataFile[] = [];
    for await (const file of landedFiles(client, spec.name)) files.push(file);
    for (const line of treeLines(partitionTree(spec.prefix, files))) terminal.data(line);
  }
  title('Rejected rows, kept with their bytes');
  const rejects: string[][] = [];
  for (const { spec } of statuses) {
    for (const it of await countReasons(rejectedRows(client, spec.name))) {
      rejects.push([spec.name, it.code, it.column ?? '-', count(it.rows), it.example.slice(0, 70)]);
    }
  }
  for (const line of table(['delivery', 'code', 'column', 'rows', 'reason'], rejects, ['rows'])) terminal.data(line);
  const late = statuses.reduce((sum, { lateRows }) => sum + lateRows, 0);
  const extra = statuses.reduce((sum, { extraRows }) => sum + extraRows, 0);
  terminal.data(
    `${plural(late, 'row')} came late and landed in their hours; ${plural(extra, 'row')} with a value kept aside in _extra`,
  );
  title('SQL over the landed files');
  terminal.data(result.sql);
  const columns = Object.keys(result.answer[0] ?? {});
  const rows = result.answer.map((row) => columns.map((column) => String(row[column])));
  for (const line of table(columns, rows, columns.slice(1))) terminal.data(line);
  title('Sent and found');
  const checks = result.checks.map((it) => [it.what, count(it.sent), count(it.found), it.ok ? 'ok' : 'WRONG']);
  for (const line of table(['', 'sent', 'found', ''], checks, ['sent', 'found'])) terminal.data(line);
}

function goOn(call: Invocation): void {
  if (call.terminal.json) return;
  call.terminal.say('');
  call.terminal.say('With your own data:');
  for (const line of [
    'lakeward serve                                    # leave it running (in a clone: npm start)',
    'lakeward stream create events',
    'lakeward delivery create events-hourly --stream events',
    'lakeward put events my-events.ndjson',
    'lakeward delivery flush events-hourly && lakeward lake ls',
  ]) {
    call.terminal.say(`  ${line}`);
  }
}
