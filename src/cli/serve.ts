/** `lakeward serve`: the server, until Ctrl-C or SIGTERM. */
import type { Command, Invocation } from './command.ts';
import { EXIT } from './exit-code.ts';
import { duration } from './wording.ts';

export const serve: Command = {
  name: 'serve',
  summary: 'Runs the server until Ctrl-C',
  arguments: [],
  options: {
    config: { value: 'file', about: 'configuration file (default ./lakeward.yaml when there is one)' },
    roles: { value: 'list', about: 'ingest, deliver, compact: what this process does (default all)' },
    host: { value: 'address', about: 'address to listen on (default 127.0.0.1)' },
    port: { value: 'port', about: 'port (default 4567; 0 takes a free one)' },
    data: { value: 'folder', about: 'data folder (default ./lakeward-data)' },
    lake: { value: 'folder', about: 'lake folder (default lake in the data folder)' },
    open: { about: 'let anybody in without a key, also from other machines' },
    'log-level': { value: 'level', about: 'debug, info (default), warn, error or silent' },
  },
  examples: [
    'lakeward serve',
    'lakeward serve --config lakeward.yaml',
    'lakeward serve --port 0 --data /var/lib/lakeward',
  ],
  run: serveUntilEnd,
};

async function serveUntilEnd(call: Invocation): Promise<number> {
  const { loadServerConfig } = await import('../app/declared-deliveries.ts');
  const { startServer } = await import('../app/compose.ts');
  const startedMs = call.clock.monotonicMs();
  const file = call.option('config');
  const flags = Object.fromEntries(
    ['roles', 'host', 'port', 'data', 'lake', 'log-level'].map((name) => [name, call.option(name)] as const),
  );
  const config = await loadServerConfig({
    ...(file === undefined ? {} : { file }),
    flags: { ...flags, open: call.flag('open') ? true : undefined },
  });
  const server = await startServer(config, { signal: call.signal });
  const { url } = server.address;
  if (call.terminal.json) call.terminal.document(server.address);
  else call.terminal.data(`lakeward on ${url}, ready after ${duration(call.clock.monotonicMs() - startedMs)}`);
  const step = config.streams.length === 0 ? 'stream create clicks' : 'status';
  call.terminal.next(`lakeward ${step}${url.endsWith(':4567') ? '' : ` --url ${url}`}`);
  await untilAborted(call.signal);
  call.terminal.say('stopping: finishing requests, landing what waits');
  await server.close(call.signal.reason instanceof Error ? call.signal.reason.message : 'asked to stop');
  return EXIT.ok;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
