/** A whole server as an operator would run it, on a free port and in a folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningServer } from '../../src/app/compose.ts';
import { startServer } from '../../src/app/compose.ts';
import { loadConfig } from '../../src/config/load.ts';

export interface TemporaryServer {
  readonly url: string;
  readonly folder: string;
  readonly lake: string;
  /** Closes, does what is to happen meanwhile, and starts again on the same folder; the port changes. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'lakeward-app-'));
}

export async function temporaryServer(): Promise<TemporaryServer> {
  const folder = await temporaryFolder();
  let running: RunningServer = await start(folder);
  return {
    get url() {
      return running.address.url;
    },
    folder,
    lake: join(folder, 'lake'),
    async restart(meanwhile) {
      await running.close('restart');
      await meanwhile?.();
      running = await start(folder);
    },
    async close() {
      await running.close('test over');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `flags` as those of `lakeward serve`; a `lakeward.yaml` in the folder is read. */
export async function start(folder: string, flags: Record<string, string> = {}): Promise<RunningServer> {
  const given = { port: '0', data: join(folder, 'data'), lake: join(folder, 'lake'), 'log-level': 'silent', ...flags };
  return startServer(await loadConfig({ flags: given, env: {}, workingFolder: folder }));
}
